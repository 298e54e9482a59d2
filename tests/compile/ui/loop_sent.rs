//! E0277 a loop stays on its thread
use thenable::EventLoop;

fn main() {
    let event_loop = EventLoop::new();
    std::thread::spawn(move || event_loop.run_until_idle());
}
