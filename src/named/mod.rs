//! Named jobs: functions that a pool in another process can find, because they go by a name instead of an address.
//!
//! A closure cannot leave its process. A [`JobFn`] can: it is a plain function with a name, its arguments and its result
//! are serde types, and a [`Registry`] in the process that runs it leads from the name to the function. So one line runs on
//! threads and on processes:
//!
//! ```
//! use thenable::{JobPool, JobPoolExt, Promise, ThreadPool};
//!
//! thenable::job! {
//!     /// The sum of the numbers up to `n`.
//!     pub fn sum(n: u64) -> u64 {
//!         (1..=n).sum()
//!     }
//! }
//!
//! fn report(pool: &dyn JobPool) -> Promise<String> {
//!     pool.submit_job(sum, 10).map(|n| format!("the sum is {n}"))
//! }
//!
//! assert_eq!(report(&ThreadPool::new(1)).wait()?, "the sum is 55");
//! # Ok::<(), thenable::Rejection>(())
//! ```

mod call;
mod codec;
mod pool;
mod registry;

pub use call::Call;
pub use pool::{JobPool, JobPoolExt};
pub use registry::Registry;

use std::fmt;
use std::ops::Deref;

/// A function with a name: what a pool of processes can run. [`job!`](crate::job) makes one from a function.
///
/// It can be called like the function it is: `count(10)`, or with several arguments as a tuple, `area((2, 3))`.
///
/// # Examples
///
/// ```
/// use thenable::{JobFn, JobPoolExt, ThreadPool};
///
/// const COUNT: JobFn<String, usize> = JobFn::new("count", |text| text.chars().count());
///
/// assert_eq!(COUNT("four".into()), 4);
/// assert_eq!(ThreadPool::new(1).submit_job(COUNT, "three".into()).wait()?, 5);
/// # Ok::<(), thenable::Rejection>(())
/// ```
pub struct JobFn<A, R> {
    name: &'static str,
    function: fn(A) -> R,
}

impl<A, R> JobFn<A, R> {
    /// Names a function. The name must be the same in every process, and no other function of the registry may have it.
    ///
    /// Something that captures nothing may be written as a closure.
    pub const fn new(name: &'static str, function: fn(A) -> R) -> Self {
        Self { name, function }
    }

    /// The name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The function.
    pub const fn function(&self) -> fn(A) -> R {
        self.function
    }
}

impl<A, R> Clone for JobFn<A, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, R> Copy for JobFn<A, R> {}

impl<A, R> Deref for JobFn<A, R> {
    type Target = fn(A) -> R;

    fn deref(&self) -> &Self::Target {
        &self.function
    }
}

impl<A, R> fmt::Debug for JobFn<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JobFn").field(&self.name).finish()
    }
}

/// Makes named jobs of functions: a constant [`JobFn`](crate::JobFn) for each, with the function's name.
///
/// The job is called by its path, `my_crate::my_module::count`. Several arguments become a tuple, none becomes `()`.
///
/// The constant has the function's name in lower case. A constant cannot be shadowed by `let`: where one is in scope, a
/// variable needs another name.
///
/// # Examples
///
/// ```
/// use thenable::{JobPoolExt, ThreadPool};
///
/// thenable::job! {
///     /// How many steps Collatz takes.
///     pub fn collatz(mut n: u64) -> u32 {
///         let mut steps = 0;
///         while n != 1 {
///             n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
///             steps += 1;
///         }
///         steps
///     }
///
///     fn area(width: u32, height: u32) -> u32 {
///         width * height
///     }
/// }
///
/// let pool = ThreadPool::new(2);
/// assert_eq!(pool.submit_job(collatz, 27).wait()?, 111);
/// assert_eq!(pool.submit_job(area, (2, 3)).wait()?, 6);
/// assert_eq!(collatz(27), 111);
/// assert!(collatz.name().ends_with("::collatz"));
/// # Ok::<(), thenable::Rejection>(())
/// ```
#[macro_export]
macro_rules! job {
    (@result) => { () };
    (@result $result:ty) => { $result };
    ($(
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident($($($argument:ident)+: $type:ty),* $(,)?) $(-> $result:ty)? $body:block
    )+) => {$(
        $(#[$attribute])*
        #[allow(non_upper_case_globals, unused_parens, reason = "the job has the function's name")]
        $visibility const $name: $crate::JobFn<($($type),*), $crate::job!(@result $($result)?)> = {
            fn $name(($($($argument)+),*): ($($type),*)) $(-> $result)? $body
            $crate::JobFn::new(concat!(module_path!(), "::", stringify!($name)), $name)
        };
    )+};
}
