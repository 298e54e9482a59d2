//! A macro by itself, for the other test programs.

/// Asserts that a `Result<_, Rejection>` is this fault of the library.
macro_rules! assert_fault {
    ($outcome:expr, $fault:pat) => {
        match &$outcome {
            Err(why) if matches!(why.fault(), Some($fault)) => {}
            Err(why) => panic!("expected {}, got the rejection {why:?}", stringify!($fault)),
            Ok(_) => panic!("expected {}, got a value", stringify!($fault)),
        }
    };
}
