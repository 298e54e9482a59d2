//! A program whose `main` begins with `run_worker_if_asked`, as programs do, and no test harness: its pools need no command.
//! Its copy under another name stands for a worker program of its own.

#[cfg(unix)]
fn main() {
    imp::main();
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
mod imp {
    use std::process::{Command, Stdio};
    use std::time::Duration;
    use std::{env, fs, process, thread};

    use thenable::{Fault, JobPoolExt, ProcessPool, Promise, Registry, Shutdown};

    thenable::job! {
        fn add(a: u64, b: u64) -> u64 {
            a + b
        }

        fn program() -> String {
            let path = env::current_exe().unwrap();
            path.file_name().unwrap().to_str().unwrap().to_owned()
        }

        /// A worker may have a pool of its own.
        fn nested(n: u64) -> u64 {
            let pool = ProcessPool::new(1).unwrap();
            pool.submit_job(add, (n, 1)).wait().unwrap()
        }

        /// This program, started by a job, is no worker.
        fn started_by_a_job() -> String {
            let output = Command::new(env::current_exe().unwrap()).arg("--say-hello").output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        }

        fn abort() {
            process::abort();
        }
    }

    pub(crate) fn main() {
        let registry = Registry::new().add(add).add(program).add(nested).add(started_by_a_job).add(abort);
        thenable::process::run_worker_if_asked(&registry);
        // A second call is an ordinary call: this process is no worker.
        thenable::process::run_worker_if_asked(&registry);

        match env::args().nth(1).as_deref() {
            Some("--say-hello") => return println!("hello"),
            Some("--wait") => return wait_for_the_deletion(),
            _ => {}
        }
        thread::spawn(|| {
            thread::sleep(Duration::from_secs(120));
            eprintln!("it hangs");
            process::abort();
        });
        let tests: [(&str, fn()); 4] = [
            ("this_program_is_its_own_worker", this_program_is_its_own_worker),
            ("another_program_is_the_worker", another_program_is_the_worker),
            ("workers_and_what_they_start", workers_and_what_they_start),
            ("a_program_that_was_deleted", a_program_that_was_deleted),
        ];
        for (name, test) in tests {
            test();
            println!("test {name} ... ok");
        }
    }

    fn this_program_is_its_own_worker() {
        let pool = ProcessPool::new(2).unwrap();
        let sums = Promise::all((0..100).map(|n| pool.submit_job(add, (n, n)))).wait().unwrap();
        assert_eq!(sums, (0..100).map(|n| 2 * n).collect::<Vec<_>>());
        let why = pool.submit_job(abort, ()).wait().unwrap_err();
        assert!(matches!(why.fault(), Some(Fault::Crashed { signal: Some(6), .. })), "{why:?}");
        pool.shutdown(Shutdown::Drain).wait().unwrap();
    }

    fn another_program_is_the_worker() {
        let folder = env::temp_dir().join(format!("thenable-{}-worker", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let worker = folder.join("the-worker");
        fs::copy(env::current_exe().unwrap(), &worker).unwrap();
        let mut command = Command::new(&worker);
        command.args(["ignored", "arguments"]).stderr(Stdio::null());
        let pool = ProcessPool::builder().max_workers(1).worker_command(command).build().unwrap();
        assert_eq!(pool.submit_job(program, ()).wait().unwrap(), "the-worker");
        assert_eq!(pool.submit_job(add, (1, 2)).wait().unwrap(), 3);
        fs::remove_dir_all(folder).unwrap();
    }

    fn workers_and_what_they_start() {
        let pool = ProcessPool::new(1).unwrap();
        assert_eq!(pool.submit_job(nested, 4).wait().unwrap(), 5);
        assert_eq!(pool.submit_job(started_by_a_job, ()).wait().unwrap(), "hello\n");
    }

    /// An update may have replaced the program's file; the workers are what runs now.
    fn a_program_that_was_deleted() {
        if !cfg!(target_os = "linux") {
            return;
        }
        let copy = env::temp_dir().join(format!("thenable-{}-deleted", process::id()));
        fs::copy(env::current_exe().unwrap(), &copy).unwrap();
        let mut shell = Command::new("sh");
        // It is deleted while it waits for the first line of its input.
        shell.args(["-c", "(sleep 0.3; rm \"$1\"; echo) | \"$1\" --wait", "sh"]).arg(&copy);
        let output = shell.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "3\n", "{output:?}");
    }

    fn wait_for_the_deletion() {
        std::io::stdin().read_line(&mut String::new()).unwrap();
        let pool = ProcessPool::new(1).unwrap();
        println!("{}", pool.submit_job(add, (1, 2)).wait().unwrap());
    }
}
