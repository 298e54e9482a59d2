import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * The workloads on CompletableFuture.
 *
 * <p>java Futures.java WORKLOAD SIZE WARM_UP_MS MEASURE_MS; prints nanoseconds per operation (or bytes) of each run. Handlers
 * run later, on one thread, from a queue: {@code thenApplyAsync} with a loop, as promises have it. (The plain {@code thenApply}
 * runs them inside of whoever completes the future.) Where there are timers the loop is a scheduler's only thread.
 */
final class Futures {
    /** A queue of jobs; the main thread empties it. */
    static final class Loop implements Executor {
        final ArrayDeque<Runnable> jobs = new ArrayDeque<>();

        @Override
        public void execute(Runnable job) {
            jobs.add(job);
        }

        <T> T await(CompletableFuture<T> future) {
            Runnable job;
            while ((job = jobs.poll()) != null) {
                job.run();
            }
            return future.join();
        }
    }

    static final Loop LOOP = new Loop();
    static final int QUERIES = 25;

    /** 0 + 1 + .. without count itself. */
    static long below(long count) {
        return count * (count - 1) / 2;
    }

    static long chainsOf10(int links) {
        long sum = 0;
        for (long start = 0; start < links / 10; start++) {
            CompletableFuture<Long> future = CompletableFuture.completedFuture(start);
            for (int i = 0; i < 10; i++) {
                int step = i;
                future = future.thenApplyAsync(n -> n + step, LOOP);
            }
            sum += LOOP.await(future);
        }
        return sum;
    }

    static long longChain(int links) {
        CompletableFuture<Long> first = new CompletableFuture<>();
        CompletableFuture<Long> future = first;
        for (int i = 0; i < links; i++) {
            future = future.thenApplyAsync(n -> n + 1, LOOP);
        }
        first.complete(0L);
        return LOOP.await(future);
    }

    static long settle(int count) {
        long sum = 0;
        for (long n = 0; n < count; n++) {
            CompletableFuture<Long> future = new CompletableFuture<>();
            future.complete(n);
            sum += LOOP.await(future);
        }
        return sum;
    }

    static long fanOut(int count) {
        long[] run = {0};
        CompletableFuture<Long> future = new CompletableFuture<>();
        for (int i = 0; i < count; i++) {
            future.thenAcceptAsync(n -> run[0] += n, LOOP);
        }
        future.complete(1L);
        LOOP.await(future);
        return run[0];
    }

    static long all(int count) {
        CompletableFuture<?>[] futures = new CompletableFuture<?>[count];
        for (int n = 0; n < count; n++) {
            futures[n] = new CompletableFuture<Long>();
        }
        CompletableFuture<Void> all = CompletableFuture.allOf(futures);
        for (int n = 0; n < count; n++) {
            complete(futures[n], n);
        }
        LOOP.await(all);
        return sum(futures);
    }

    @SuppressWarnings("unchecked")
    static void complete(CompletableFuture<?> future, long n) {
        ((CompletableFuture<Long>) future).complete(n);
    }

    static long sum(CompletableFuture<?>[] futures) {
        long sum = 0;
        for (CompletableFuture<?> future : futures) {
            sum += (Long) future.join();
        }
        return sum;
    }

    static long spawn(int count) {
        List<CompletableFuture<Long>> calls = new ArrayList<>();
        for (long i = 0; i < count; i++) {
            long n = i;
            calls.add(CompletableFuture.supplyAsync(() -> n, LOOP));
        }
        long sum = 0;
        for (CompletableFuture<Long> call : calls) {
            sum += LOOP.await(call);
        }
        return sum;
    }

    /** A database, a blob store: every operation answers with what it was given. */
    interface Ask {
        <T> CompletableFuture<T> ask(T answer);
    }

    static final class AtOnce implements Ask {
        @Override
        public <T> CompletableFuture<T> ask(T answer) {
            return CompletableFuture.completedFuture(answer);
        }
    }

    record AfterTimer(ScheduledExecutorService scheduler) implements Ask {
        @Override
        public <T> CompletableFuture<T> ask(T answer) {
            CompletableFuture<T> future = new CompletableFuture<>();
            scheduler.schedule(() -> future.complete(answer), 1, TimeUnit.MILLISECONDS);
            return future;
        }
    }

    record Blob(long blob, Long file) {}

    record Version(long version, Long file) {}

    /** put blob, get file, insert version, create query, execute it, insert file version, update file, commit. */
    static CompletableFuture<Long> upload(long request, Ask store, Executor loop) {
        return store.ask(request)
            .thenComposeAsync(blob -> store.ask(new Blob(blob, null)), loop)
            .thenComposeAsync(got -> store.ask(new Version(got.blob + 1, got.file)), loop)
            .thenComposeAsync(
                got -> got.file != null
                    ? CompletableFuture.completedFuture(new Version(got.version, got.file))
                    : store.ask(got.version + 1)
                        .thenComposeAsync(query -> store.ask(query), loop)
                        .thenApplyAsync(file -> new Version(got.version, file), loop),
                loop)
            .thenComposeAsync(got -> store.ask(got), loop)
            .thenComposeAsync(got -> store.ask(got.file + got.version), loop)
            .thenComposeAsync(sum -> store.ask(sum), loop)
            .exceptionallyComposeAsync(
                why -> store.ask(why).thenComposeAsync(CompletableFuture::failedFuture, loop), loop);
    }

    static CompletableFuture<Long> insert(long request, Ask store, Executor loop) {
        CompletableFuture<?>[] queries = new CompletableFuture<?>[QUERIES];
        for (int query = 0; query < QUERIES; query++) {
            queries[query] = store.ask(query + request);
        }
        return CompletableFuture.allOf(queries)
            .thenComposeAsync(done -> store.ask(sum(queries)), loop)
            .exceptionallyComposeAsync(
                why -> store.ask(why).thenComposeAsync(CompletableFuture::failedFuture, loop), loop);
    }

    interface Request {
        CompletableFuture<Long> send(long request, Ask store, Executor loop);
    }

    static CompletableFuture<?>[] send(int requests, Request request, Ask store, Executor loop) {
        CompletableFuture<?>[] sent = new CompletableFuture<?>[requests];
        for (int n = 0; n < requests; n++) {
            sent[n] = request.send(n, store, loop);
        }
        return sent;
    }

    static long settled(int requests, Request request) {
        CompletableFuture<?>[] sent = send(requests, request, new AtOnce(), LOOP);
        LOOP.await(CompletableFuture.allOf(sent));
        return sum(sent);
    }

    static long timed(int requests, Request request) {
        ScheduledExecutorService scheduler = Executors.newSingleThreadScheduledExecutor();
        try {
            CompletableFuture<CompletableFuture<?>[]> sent = CompletableFuture.supplyAsync(
                () -> send(requests, request, new AfterTimer(scheduler), scheduler), scheduler);
            CompletableFuture.allOf(sent.join()).join();
            return sum(sent.join());
        } finally {
            scheduler.shutdown();
        }
    }

    static long timers(int count) {
        ScheduledExecutorService scheduler = Executors.newSingleThreadScheduledExecutor();
        try {
            return CompletableFuture.supplyAsync(() -> {
                CompletableFuture<?>[] delays = new CompletableFuture<?>[count];
                for (int n = 0; n < count; n++) {
                    CompletableFuture<Long> future = new CompletableFuture<>();
                    scheduler.schedule(() -> future.complete(1L), n * 1000L / count, TimeUnit.MILLISECONDS);
                    delays[n] = future;
                }
                return delays;
            }, scheduler).thenCompose(delays -> CompletableFuture.allOf(delays).thenApply(done -> sum(delays))).join();
        } finally {
            scheduler.shutdown();
        }
    }

    /** How much the heap grows per item, the list that holds it included. */
    static double memory(int count, Supplier<Object> make) {
        Runtime runtime = Runtime.getRuntime();
        List<Object> kept = new ArrayList<>(count);
        System.gc();
        long before = runtime.totalMemory() - runtime.freeMemory();
        for (int n = 0; n < count; n++) {
            kept.add(make.get());
        }
        System.gc();
        long grown = runtime.totalMemory() - runtime.freeMemory() - before;
        check(kept.size(), count);
        return (double) grown / count;
    }

    static Object withThen() {
        CompletableFuture<Long> future = new CompletableFuture<>();
        return List.of(future, future.thenApplyAsync(n -> n + 1, LOOP));
    }

    static void check(long outcome, long expected) {
        if (outcome != expected) {
            throw new IllegalStateException(outcome + " instead of " + expected);
        }
    }

    interface Work {
        long run(int size);
    }

    static Supplier<Double> wall(int size, Work work, long expected) {
        return () -> {
            long start = System.nanoTime();
            long outcome = work.run(size);
            long took = System.nanoTime() - start;
            check(outcome, expected);
            return (double) took / size;
        };
    }

    static Supplier<Double> cpu(int size, Work work, long expected) {
        OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        return () -> {
            long start = system.getProcessCpuTime();
            long outcome = work.run(size);
            long took = system.getProcessCpuTime() - start;
            check(outcome, expected);
            return (double) took / size;
        };
    }

    public static void main(String[] arguments) {
        int size = Integer.parseInt(arguments[1]);
        long uploaded = 2 * below(size) + 3L * size;
        long inserted = QUERIES * below(size) + (long) size * QUERIES * (QUERIES - 1) / 2;
        Supplier<Double> run = switch (arguments[0]) {
            case "chains_of_10" -> wall(size, Futures::chainsOf10, below(size / 10) + size / 10 * 45L);
            case "long_chain" -> wall(size, Futures::longChain, size);
            case "settle" -> wall(size, Futures::settle, below(size));
            case "fan_out" -> wall(size, Futures::fanOut, size);
            case "all" -> wall(size, Futures::all, below(size));
            case "spawn" -> wall(size, Futures::spawn, below(size));
            case "doxbee" -> wall(size, n -> settled(n, Futures::upload), uploaded);
            case "parallel" -> wall(size, n -> settled(n, Futures::insert), inserted);
            case "doxbee_timers" -> wall(size, n -> timed(n, Futures::upload), uploaded);
            case "parallel_timers" -> wall(size, n -> timed(n, Futures::insert), inserted);
            case "timers" -> cpu(size, Futures::timers, size);
            case "memory" -> () -> memory(size, CompletableFuture::new);
            case "memory_then" -> () -> memory(size, Futures::withThen);
            default -> throw new IllegalArgumentException(arguments[0]);
        };
        if (arguments[0].startsWith("memory")) {
            System.out.println(run.get());
            return;
        }
        long warmUp = Long.parseLong(arguments[2]) * 1_000_000;
        long measure = Long.parseLong(arguments[3]) * 1_000_000;
        for (long start = System.nanoTime(); System.nanoTime() - start < warmUp; ) {
            run.get();
        }
        for (long start = System.nanoTime(); System.nanoTime() - start < measure; ) {
            System.out.println(run.get());
        }
    }
}
