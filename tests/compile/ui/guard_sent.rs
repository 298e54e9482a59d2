//! E0277 the loop is current on the thread that entered it
use thenable::EventLoop;

fn main() {
    let event_loop = EventLoop::new();
    let guard = event_loop.enter();
    std::thread::scope(|scope| {
        scope.spawn(move || drop(guard));
    });
}
