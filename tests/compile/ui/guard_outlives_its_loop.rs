//! E0505 the loop cannot go while it is current
use thenable::EventLoop;

fn main() {
    let event_loop = EventLoop::new();
    let guard = event_loop.enter();
    drop(event_loop);
    drop(guard);
}
