//! Where a file can be changed, and how.

use std::ops::Range;

use proc_macro2::LineColumn;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Attribute, BinOp, Expr, ExprBinary, ExprMatch, ExprUnary, ImplItemFn, ItemConst, ItemFn, ItemImpl, ItemMod, ItemStatic, Pat, Signature, UnOp,
};

use crate::bodies;
use crate::operators;

/// One place of a file, with all that may stand there instead.
pub struct Found {
    /// Bytes of the expression, or the empty range at the beginning of a body.
    pub range: Range<usize>,
    /// Whether an expression stands there.
    pub is_expression: bool,
    pub function: String,
    pub changes: Vec<Change>,
}

pub struct Change {
    /// What runs instead.
    pub code: String,
    /// What the list says.
    pub told: String,
    /// Byte that the change is about.
    pub at: usize,
}

/// Every mutant of a file, in the order of the text.
pub fn mutants(text: &str) -> Result<Vec<Found>, syn::Error> {
    let file = syn::parse_file(text)?;
    let starts: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let mut finder = Finder { text, starts, functions: Vec::new(), found: Vec::new() };
    finder.visit_file(&file);
    finder.found.sort_by_key(|found| (found.range.start, usize::MAX - found.range.end));
    Ok(finder.found)
}

struct Finder<'a> {
    text: &'a str,
    /// Byte at which each line begins.
    starts: Vec<usize>,
    functions: Vec<String>,
    found: Vec<Found>,
}

/// Of tests, and of what the compiler computes.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg") && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test"))
    })
}

impl Finder<'_> {
    fn byte(&self, place: LineColumn) -> usize {
        let start = self.starts[place.line - 1];
        let line = &self.text[start..];
        start + line.char_indices().nth(place.column).map_or(line.len(), |(at, _)| at)
    }

    fn range(&self, spanned: &impl Spanned) -> Range<usize> {
        let span = spanned.span();
        self.byte(span.start())..self.byte(span.end())
    }

    fn code(&self, spanned: &impl Spanned) -> String {
        self.text[self.range(spanned)].to_owned()
    }

    fn add(&mut self, range: Range<usize>, is_expression: bool, changes: Vec<Change>) {
        // Constants have no function, and cannot ask.
        let Some(function) = self.functions.last().cloned() else { return };
        if !changes.is_empty() {
            self.found.push(Found { range, is_expression, function, changes });
        }
    }

    fn function(&mut self, signature: &Signature, block: &syn::Block, inner: impl FnOnce(&mut Self)) {
        if signature.constness.is_some() {
            return;
        }
        self.functions.push(signature.ident.to_string());
        let begin = self.byte(block.brace_token.span.open().end());
        let changes = bodies::instead(&signature.output).into_iter().map(|value| Change {
            code: if value == "()" { "return;".to_owned() } else { format!("return {value};") },
            told: format!("body -> {value}"),
            at: self.byte(signature.ident.span().start()),
        });
        let changes = if block.stmts.is_empty() { Vec::new() } else { changes.collect() };
        self.add(begin..begin, false, changes);
        inner(self);
        self.functions.pop();
    }
}

/// A condition that binds names cannot be put into parentheses.
fn binds(expression: &Expr) -> bool {
    match expression {
        Expr::Let(_) => true,
        Expr::Binary(binary) => binds(&binary.left) || binds(&binary.right),
        _ => false,
    }
}

/// Deleting the arm lets another one take what it took.
fn has_catch_all(expression: &ExprMatch) -> bool {
    expression.arms.iter().any(|arm| matches!(arm.pat, Pat::Wild(_)) && arm.guard.is_none())
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_item_const(&mut self, _: &'ast ItemConst) {}

    fn visit_item_static(&mut self, _: &'ast ItemStatic) {}

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        if !is_for_tests(&item.attrs) {
            self.function(&item.sig, &item.block, |finder| visit::visit_item_fn(finder, item));
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            self.function(&item.sig, &item.block, |finder| visit::visit_impl_item_fn(finder, item));
        }
    }

    fn visit_expr_binary(&mut self, binary: &'ast ExprBinary) {
        let (left, right) = (self.code(&binary.left), self.code(&binary.right));
        let range = self.range(binary);
        let at = self.byte(binary.op.span().start());
        let old = self.code(&binary.op);
        let is_condition = matches!(binary.op, BinOp::And(_) | BinOp::Or(_));
        if !(is_condition && binds(&Expr::Binary(binary.clone()))) {
            let other = |new: &&'static str| Change { code: format!("({left}) {new} ({right})"), told: format!("`{old}` -> `{new}`"), at };
            let is_assignment = old.ends_with('=') && !["==", "!=", "<=", ">="].contains(&old.as_str());
            let written =
                |new: &&'static str| if is_assignment { Change { code: format!("{left} {new} {right}"), ..other(new) } } else { other(new) };
            let changes = operators::instead(&binary.op).iter().map(written).collect();
            self.add(range, true, changes);
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &'ast ExprUnary) {
        if matches!(unary.op, UnOp::Not(_) | UnOp::Neg(_)) {
            let range = self.range(unary);
            let sign = self.code(&unary.op);
            let change = Change { code: self.code(&unary.expr), told: format!("`{sign}` deleted"), at: range.start };
            self.add(range, true, vec![change]);
        }
        visit::visit_expr_unary(self, unary);
    }

    fn visit_expr_match(&mut self, expression: &'ast ExprMatch) {
        let can_lose = has_catch_all(expression);
        for arm in &expression.arms {
            let at = self.byte(arm.pat.span().start());
            if let Some((_, guard)) = &arm.guard {
                if !binds(guard) {
                    let range = self.range(&**guard);
                    let fixed = |value: &str| Change { code: value.to_owned(), told: format!("guard -> {value}"), at };
                    self.add(range, true, vec![fixed("true"), fixed("false")]);
                }
            } else if can_lose && !matches!(arm.pat, Pat::Wild(_)) {
                // A guard of its own, in the empty range behind the pattern: see `Written`.
                let end = self.byte(arm.pat.span().end());
                self.add(end..end, false, vec![Change { code: String::new(), told: "arm deleted".to_owned(), at }]);
            }
        }
        visit::visit_expr_match(self, expression);
    }
}
