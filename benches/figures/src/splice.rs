/// Puts `block` between the two marks of a Markdown file.
pub fn splice(file: &str, mark: &str, block: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {mark} -->"), format!("<!-- /{mark} -->"));
    let (before, rest) = file.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{block}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::splice;

    #[test]
    fn a_block_is_replaced() {
        let file = "a\n<!-- x -->\nold\n<!-- /x -->\nz\n";
        assert_eq!(splice(file, "x", "new\n").as_deref(), Some("a\n<!-- x -->\nnew\n<!-- /x -->\nz\n"));
        assert_eq!(splice(file, "y", "new\n"), None);
    }
}
