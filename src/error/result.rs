//! `Result` and `Ok` with the dynamic reason.

use super::Rejection;

/// `Result` with the dynamic reason, [`Rejection`].
///
/// # Examples
///
/// Anything that is an error goes into it by `?`:
///
/// ```
/// fn port(text: &str) -> thenable::Result<u16> {
///     let port: u16 = text.trim().parse()?;
///     if port == 0 {
///         return Err("port 0 is reserved".into());
///     }
///     Ok(port)
/// }
///
/// assert_eq!(port(" 80 ").unwrap(), 80);
/// assert_eq!(port("0").unwrap_err().to_string(), "port 0 is reserved");
/// ```
pub type Result<T, E = Rejection> = std::result::Result<T, E>;

/// `Ok` whose error type is [`Rejection`].
///
/// It ends an `async` block or a closure that uses `?` and whose error type nothing else names. Write it as
/// `thenable::Ok(..)`: imported by name it would hide the `Ok` of the prelude, and a function is no pattern.
///
/// # Errors
///
/// None: it is always the `Ok` of the `Result`.
///
/// # Examples
///
/// ```
/// let parse = |text: &str| {
///     let number: i32 = text.parse()?;
///     thenable::Ok(number * 2)
/// };
///
/// assert_eq!(parse("21").unwrap(), 42);
/// assert!(parse("x").unwrap_err().is::<std::num::ParseIntError>());
/// ```
#[expect(non_snake_case, reason = "it stands in for the variant")]
pub fn Ok<T>(value: T) -> Result<T> {
    std::result::Result::Ok(value)
}
