//! `resolve(v)` and `reject(e)`: values that are called like functions and cost one pointer.
//!
//! A struct cannot implement `Fn` on stable Rust, but it can dereference to `dyn Fn`. The object behind that reference is
//! the struct itself, looked at as a closure whose only capture is a copy of the struct's only field: a pointer. (The
//! method is David Tolnay's "callable types".)

use super::node::Head;
use super::root::Producer;
use std::mem::{ManuallyDrop, transmute};
use std::ptr::{self, NonNull};

/// A closure of one captured pointer, which it takes for the pointer of a live producer.
fn as_closure<T: 'static, E: 'static, A: 'static>(
    act: impl Fn(&Producer<T, E>, A) + Copy + 'static,
    head: NonNull<Head>,
) -> impl Fn(A) + 'static {
    move |argument| {
        // SAFETY: `call` looks at a live producer through this closure, for no longer than the producer is borrowed. A
        // producer is its one pointer; this copy is not dropped.
        let producer = unsafe { ManuallyDrop::new(transmute::<NonNull<Head>, Producer<T, E>>(head)) };
        act(&producer, argument);
    }
}

/// The producer as a function.
pub(crate) fn call<T: 'static, E: 'static, A: 'static, C>(producer: &Producer<T, E>, act: C) -> &(dyn Fn(A) + 'static)
where
    C: Fn(&Producer<T, E>, A) + Copy + 'static,
{
    fn view<'a, T, E, F: Fn(A) + 'static, A: 'static>(
        producer: &'a Producer<T, E>,
        _type_of: impl FnOnce(NonNull<Head>) -> F,
    ) -> &'a (dyn Fn(A) + 'static) {
        const {
            assert!(size_of::<F>() == size_of::<Producer<T, E>>(), "the closure is its one captured pointer");
            assert!(align_of::<F>() == align_of::<Producer<T, E>>());
        }
        // SAFETY: a closure of the size of a pointer that captured one pointer consists of that pointer, as the producer does.
        unsafe { &*ptr::from_ref(producer).cast::<F>() }
    }
    view(producer, move |head| as_closure::<T, E, A>(act, head))
}
