//! One walk over the parsed SELECT that collects what it reads.

use std::{
    collections::{HashMap, HashSet},
    ops::ControlFlow,
};

use sqlparser::{
    ast::{
        AccessExpr, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Query, Select,
        SelectItem, SelectItemQualifiedWildcardKind, SetExpr, Spanned, Statement, TableAlias, TableFactor,
        TableWithJoins, Value, ValueWithSpan, Visitor,
    },
    tokenizer::{Location, Span},
};

use super::{
    Kind, Reference,
    error::{LOCK, Problem, QueryError},
    qualifier::Qualified,
    scope::{From, Item, With, leads},
    tokens::Tokens,
};
use crate::sql::Dialect;

/// The walk, and what it has found so far.
pub(super) struct Walk<'a> {
    tokens: &'a Tokens,
    dialect: Dialect,
    start: Location,
    /// The WITH of each query around, outermost first.
    withs: Vec<With>,
    /// The number of each CTE's query in its WITH, by the query's address in the tree, which stays as it
    /// is during the walk.
    numbers: HashMap<*const Query, usize>,
    /// The FROM of each SELECT around.
    froms: Vec<From>,
    /// The tables found.
    pub(super) tables: Vec<Reference>,
    /// Names in FROM that lead into SUPER columns.
    pub(super) paths: Vec<Reference>,
    /// Columns that may be qualified by a table.
    pub(super) qualified: Vec<Qualified>,
    /// The names of all items of FROM.
    pub(super) items: HashSet<String>,
}

type Flow = ControlFlow<QueryError>;

impl<'a> Walk<'a> {
    pub(super) fn new(tokens: &'a Tokens, dialect: Dialect, start: Location) -> Self {
        Self {
            tokens,
            dialect,
            start,
            withs: Vec::new(),
            numbers: HashMap::new(),
            froms: Vec::new(),
            tables: Vec::new(),
            paths: Vec::new(),
            qualified: Vec::new(),
            items: HashSet::new(),
        }
    }

    fn fails<T>(&self, at: Location, problem: Problem) -> Result<T, QueryError> {
        Err(QueryError::new(if at.line == 0 { self.start } else { at }, problem))
    }

    fn fold(&self, ident: &Ident) -> String {
        fold(ident, self.dialect)
    }

    /// A table's name, unless it is a CTE's or leads into a SUPER column. Answers whether it does the latter.
    fn add_table(&mut self, name: &[&Ident], bracketed: bool) -> Result<bool, QueryError> {
        let parts: Vec<String> = name.iter().map(|ident| self.fold(ident)).collect();
        let span = Span::new(name[0].span.start, name[name.len() - 1].span.end);
        if self.dialect == Dialect::Redshift {
            let lead = leads(&self.froms, &parts, bracketed);
            if lead > 1 {
                self.add_qualified(name, lead);
            }
            if lead == 1 && matches!(parts.len(), 2 | 3) {
                let path = self.reference(parts.clone(), span, Kind::Path)?;
                self.paths.push(path);
            }
            if lead > 0 {
                return Ok(true);
            }
        }
        if let [alone] = &parts[..]
            && (self.withs.iter().any(|with| with.knows(alone)) || is_function(name[0]))
        {
            return Ok(false);
        }
        if parts.len() > 3 {
            let message = "a table's name has at most three parts".to_owned();
            return self.fails(span.start, Problem::Unreadable(message));
        }
        self.tables.push(self.reference(parts, span, Kind::Table)?);
        Ok(false)
    }

    /// A name with its place.
    pub(super) fn reference(
        &self,
        mut parts: Vec<String>,
        span: Span,
        kind: Kind,
    ) -> Result<Reference, QueryError> {
        let name = parts.pop().unwrap_or_default();
        let schema = parts.pop();
        let database = parts.pop();
        let Some(range) = self.tokens.bytes(span) else {
            return self.fails(span.start, Problem::Lost(name));
        };
        let (line, column) = (span.start.line as usize, span.start.column as usize);
        Ok(Reference { kind, database, schema, name, range, line, column })
    }

    /// Remembers a column's name: whether a table qualifies it is seen when all tables are known. The
    /// first `lead` parts may be the table.
    fn add_qualified(&mut self, name: &[&Ident], lead: usize) {
        if lead > 1 {
            let parts = name[..lead].iter().map(|ident| (self.fold(ident), ident.span)).collect();
            self.qualified.push(Qualified { parts });
        }
    }

    /// `schema.table.*`
    fn add_wildcard(&mut self, name: &ObjectName) {
        let idents = idents(name);
        self.add_qualified(&idents, idents.len());
    }

    /// One item of FROM.
    fn add_item(&mut self, factor: &TableFactor) -> Result<(), QueryError> {
        match factor {
            TableFactor::Table { name, alias, args, json_path, .. } => {
                let idents = idents(name);
                let Some(last) = idents.last().filter(|_| idents.len() == name.0.len()) else {
                    return self.fails(name.span().start, Problem::Lost(name.to_string()));
                };
                // With arguments it is a function.
                let navigates = match args {
                    Some(_) => false,
                    None => self.add_table(&idents, json_path.is_some())?,
                };
                let schema = match (&idents[..], alias) {
                    ([.., schema, _], None) if args.is_none() && !navigates => Some(self.fold(schema)),
                    _ => None,
                };
                let known = alias.as_ref().map_or(*last, |alias| &alias.name);
                self.push_item(known, schema, navigates);
                self.push_alias(alias.as_ref().and_then(|alias| alias.at.as_ref()));
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                self.add_items(table_with_joins)?;
                self.push_alias(alias_name(alias));
            }
            TableFactor::Pivot { table, alias, .. }
            | TableFactor::Unpivot { table, alias, .. }
            | TableFactor::MatchRecognize { table, alias, .. } => {
                self.add_item(table)?;
                self.push_alias(alias_name(alias));
            }
            TableFactor::UnpivotExpr { value_alias, attribute_alias, .. } => {
                self.push_item(value_alias, None, true);
                self.push_alias(attribute_alias.as_ref());
            }
            TableFactor::Derived { alias, .. }
            | TableFactor::TableFunction { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::UNNEST { alias, .. }
            | TableFactor::JsonTable { alias, .. }
            | TableFactor::OpenJsonTable { alias, .. }
            | TableFactor::XmlTable { alias, .. }
            | TableFactor::SemanticView { alias, .. } => self.push_alias(alias_name(alias)),
        }
        Ok(())
    }

    fn add_items(&mut self, from: &TableWithJoins) -> Result<(), QueryError> {
        self.add_item(&from.relation)?;
        from.joins.iter().try_for_each(|join| self.add_item(&join.relation))
    }

    fn push_alias(&mut self, alias: Option<&Ident>) {
        if let Some(alias) = alias {
            self.push_item(alias, None, false);
        }
    }

    fn push_item(&mut self, name: &Ident, schema: Option<String>, navigates: bool) {
        let name = self.fold(name);
        self.items.insert(name.clone());
        if let Some(from) = self.froms.last_mut() {
            from.push(Item { name, schema, navigates });
        }
    }

    fn enter_query(&mut self, query: &Query) -> Result<(), QueryError> {
        if !query.locks.is_empty() {
            let at = self.tokens.locks().next().map_or(self.start, |(lock, _)| lock);
            return self.fails(at, Problem::Writes(LOCK));
        }
        if let Some(number) = self.numbers.get(&std::ptr::from_ref(query))
            && let Some(with) = self.withs.last_mut()
        {
            with.enter(*number);
        }
        let mut names = Vec::new();
        if let Some(with) = &query.with {
            for (number, cte) in with.cte_tables.iter().enumerate() {
                self.numbers.insert(std::ptr::from_ref(&*cte.query), number);
                names.push(self.fold(&cte.alias.name));
            }
        }
        let recursive = query.with.as_ref().is_some_and(|with| with.recursive);
        self.withs.push(With::new(names, recursive));
        self.add_commands(&query.body)
    }

    /// `TABLE t`, which is no SELECT to the parser, wherever it stands among the set operations.
    fn add_commands(&mut self, body: &SetExpr) -> Result<(), QueryError> {
        let mut rest = vec![body];
        while let Some(body) = rest.pop() {
            match body {
                SetExpr::SetOperation { left, right, .. } => rest.extend([&**left, &**right]),
                SetExpr::Table(table) => {
                    let name: Vec<&Ident> = table.schema_name.iter().chain(table.table_name.iter()).collect();
                    self.add_table(&name, false)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn leave_query(&mut self, query: &Query) {
        self.withs.pop();
        if let Some(number) = self.numbers.get(&std::ptr::from_ref(query))
            && let Some(with) = self.withs.last_mut()
        {
            with.leave(*number);
        }
    }

    fn enter_select(&mut self, select: &Select) -> Result<(), QueryError> {
        if let Some(into) = &select.into {
            let at = into.targets.first().map_or(self.start, |target| target.span().start);
            return self.fails(at, Problem::Writes("SELECT INTO"));
        }
        self.froms.push(From::default());
        select.from.iter().try_for_each(|from| self.add_items(from))?;
        for item in &select.projection {
            if let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) = item
            {
                self.add_wildcard(name);
            }
        }
        Ok(())
    }

    fn enter_expr(&mut self, expr: &Expr) {
        match expr {
            Expr::CompoundIdentifier(name) => {
                self.add_qualified(&name.iter().collect::<Vec<_>>(), name.len() - 1);
            }
            // `raw.orders.items[0]`: its parts are a chain. (If more than one part comes before the chain,
            // they are a compound identifier, and met as such.)
            Expr::CompoundFieldAccess { root, access_chain } => {
                if let Expr::Identifier(first) = &**root {
                    let chain = access_chain.iter().map_while(|access| match access {
                        AccessExpr::Dot(Expr::Identifier(part)) => Some(part),
                        _ => None,
                    });
                    let name: Vec<&Ident> = std::iter::once(first).chain(chain).collect();
                    self.add_qualified(&name, name.len() - 1);
                }
            }
            Expr::QualifiedWildcard(name, _) => self.add_wildcard(name),
            Expr::Function(function) => {
                if let FunctionArguments::List(list) = &function.args {
                    for arg in &list.args {
                        if let FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(name)) = arg {
                            self.add_wildcard(name);
                        }
                    }
                }
            }
            _ => {}
        }
    }
}

impl Visitor for Walk<'_> {
    type Break = QueryError;

    fn pre_visit_query(&mut self, query: &Query) -> Flow {
        flow(self.enter_query(query))
    }

    fn post_visit_query(&mut self, query: &Query) -> Flow {
        self.leave_query(query);
        Flow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> Flow {
        flow(self.enter_select(select))
    }

    fn post_visit_select(&mut self, _: &Select) -> Flow {
        self.froms.pop();
        Flow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> Flow {
        self.hide(factor, true)
    }

    fn post_visit_table_factor(&mut self, factor: &TableFactor) -> Flow {
        self.hide(factor, false)
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Flow {
        self.enter_expr(expr);
        Flow::Continue(())
    }

    /// The SELECT itself is not walked as a statement: this one stands within it, and writes.
    fn pre_visit_statement(&mut self, statement: &Statement) -> Flow {
        let what = "INSERT, UPDATE, DELETE or MERGE";
        flow(self.fails(statement.span().start, Problem::Writes(what)))
    }

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> Flow {
        match &value.value {
            Value::Placeholder(name) if name != ":since" => {
                flow(self.fails(value.span.start, Problem::UnknownPlaceholder(name.clone())))
            }
            _ => Flow::Continue(()),
        }
    }
}

impl Walk<'_> {
    fn hide(&mut self, factor: &TableFactor, hidden: bool) -> Flow {
        if let TableFactor::Derived { lateral: false, .. } = factor
            && let Some(from) = self.froms.last_mut()
        {
            from.hidden = hidden;
        }
        Flow::Continue(())
    }
}

/// Functions that are written without brackets, in FROM too.
fn is_function(ident: &Ident) -> bool {
    ident.quote_style.is_none() && FUNCTIONS.iter().any(|name| ident.value.eq_ignore_ascii_case(name))
}

const FUNCTIONS: [&str; 12] = [
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "localtime",
    "localtimestamp",
    "session_user",
    "system_user",
    "user",
];

/// A name as the warehouse keeps it: Postgres folds those without quotes, Redshift all of them (unless
/// `enable_case_sensitive_identifier` is on); both fold ASCII letters alone.
fn fold(ident: &Ident, dialect: Dialect) -> String {
    match (dialect, ident.quote_style) {
        (Dialect::Postgres, Some(_)) => ident.value.clone(),
        _ => ident.value.to_ascii_lowercase(),
    }
}

fn idents(name: &ObjectName) -> Vec<&Ident> {
    name.0.iter().filter_map(|part| part.as_ident()).collect()
}

fn alias_name(alias: &Option<TableAlias>) -> Option<&Ident> {
    alias.as_ref().map(|alias| &alias.name)
}

fn flow(result: Result<(), QueryError>) -> Flow {
    match result {
        Ok(()) => Flow::Continue(()),
        Err(error) => Flow::Break(error),
    }
}
