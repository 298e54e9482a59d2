//! E0277 nor may another thread run it
use thenable::EventLoop;

fn main() {
    let event_loop = EventLoop::new();
    std::thread::scope(|scope| {
        scope.spawn(|| event_loop.run_until_idle());
    });
}
