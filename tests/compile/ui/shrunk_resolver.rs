//! Elifetime a resolver is invariant too
use thenable::Resolver;

fn stretch<'short>(resolver: Resolver<&'static str>, _: &'short str) -> Resolver<&'short str> {
    resolver
}

fn main() {
    let _ = stretch;
}
