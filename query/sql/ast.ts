/**
 * The syntax tree of a statement: uniform, tagged, readonly nodes. SQLite's grammar plus SealDB's words.
 *
 * Every node has a `kind` and a `span` into the text it was parsed from, so that a rewriter can splice the original. Fields stand in
 * source order and are always present: what is absent is null or an empty list. Parentheses that only group are not kept (the printer
 * puts back those that are needed); an operand's span therefore excludes its own parentheses, its parent's includes them.
 *
 * Long, because it is one vocabulary: splitting the union would hide what an exhaustive switch has to cover.
 */

/** Offsets in UTF-16 units, `[start, end)`. A node made by a rewriter has `NO_SPAN`. */
export type Span = { readonly start: number; readonly end: number }
export const NO_SPAN: Span = { start: -1, end: -1 }

type Base<K extends string> = { readonly kind: K; readonly span: Span }

// ---- names and values ----------------------------------------------------------------------------------------------------------

/** How an identifier was quoted. `"x"` may be a string to SQLite if there is no such column, so the quote is part of the meaning. */
export type Quote = '' | '"' | '[' | '`' | "'"

/** An identifier. `text` is without quotes; compare names with ASCII case folded. */
export type Name = Base<'name'> & { readonly text: string; readonly quote: Quote }

/** `[schema.]name` of something that is being defined or dropped. */
export type QualifiedName = Base<'qualified-name'> & { readonly schema: Name | null; readonly name: Name }

/** A literal as written (`raw`): digits with underscores, hex, `x'00'`, quotes included. */
export type Literal = Base<'literal'> & { readonly type: 'integer' | 'real' | 'text' | 'blob' | 'null'; readonly raw: string }

/** `?`, `?12`, `:a`, `@a`, `$a::b(c)`, as written. `number` is SQLite's index from 1, counted over the statement. */
export type Parameter = Base<'parameter'> & { readonly name: string; readonly number: number }

/** A declared type, its words as written and its sizes: `DECIMAL(10, 5)`. */
export type TypeName = Base<'type-name'> & { readonly words: readonly Name[]; readonly sizes: readonly SignedNumber[] }

export type SignedNumber = Base<'signed-number'> & { readonly sign: '' | '+' | '-'; readonly value: Literal }

// ---- expressions ---------------------------------------------------------------------------------------------------------------

export type UnaryOperator = '-' | '+' | '~' | 'not'
/** `==` is parsed as `=`, `<>` as `!=`. */
export type BinaryOperator =
  | '||' | '->' | '->>' | '*' | '/' | '%' | '+' | '-' | '<<' | '>>' | '&' | '|'
  | '<' | '<=' | '>' | '>=' | '=' | '!=' | 'is' | 'is not' | 'is distinct from' | 'is not distinct from' | 'and' | 'or'

export type ColumnRef = Base<'column'> & { readonly schema: Name | null; readonly table: Name | null; readonly name: Name }
/** CURRENT_DATE, CURRENT_TIME, CURRENT_TIMESTAMP. */
export type CurrentTime = Base<'current-time'> & { readonly what: 'date' | 'time' | 'timestamp' }
export type Unary = Base<'unary'> & { readonly operator: UnaryOperator; readonly operand: Expr }
export type Binary = Base<'binary'> & { readonly left: Expr; readonly operator: BinaryOperator; readonly right: Expr }
export type Like = Base<'like'> & {
  readonly left: Expr
  readonly not: boolean
  readonly operator: 'like' | 'glob' | 'regexp' | 'match'
  readonly right: Expr
  readonly escape: Expr | null
}
/** `x ISNULL` (not = false), `x NOTNULL` and `x NOT NULL` (not = true). `x IS NULL` is a binary `is`. */
export type NullTest = Base<'null-test'> & { readonly operand: Expr; readonly not: boolean }
export type Between = Base<'between'> & { readonly operand: Expr; readonly not: boolean; readonly low: Expr; readonly high: Expr }
/** `x [NOT] IN (list)`, `IN (SELECT …)`, `IN table`, `IN function(args)`. */
export type In = Base<'in'> & { readonly operand: Expr; readonly not: boolean; readonly set: ExprList | Subquery | TableRef }
export type ExprList = Base<'list'> & { readonly items: readonly Expr[] }
export type Collate = Base<'collate'> & { readonly operand: Expr; readonly collation: Name }
export type Cast = Base<'cast'> & { readonly operand: Expr; readonly type: TypeName }
export type Case = Base<'case'> & { readonly operand: Expr | null; readonly whens: readonly When[]; readonly otherwise: Expr | null }
export type When = Base<'when'> & { readonly condition: Expr; readonly result: Expr }
export type Call = Base<'call'> & {
  readonly name: Name
  readonly quantifier: 'distinct' | 'all' | null
  readonly star: boolean
  readonly args: readonly Expr[]
  readonly orderBy: readonly OrderTerm[]
  readonly filter: Expr | null
  readonly over: Name | WindowSpec | null
}
export type Exists = Base<'exists'> & { readonly select: Select }
/** A scalar (or row-valued) subquery, and the right side of IN. */
export type Subquery = Base<'subquery'> & { readonly select: Select }
/** `(a, b)`: a row value of two or more; in VALUES of one or more. */
export type Row = Base<'row'> & { readonly items: readonly Expr[] }
export type Raise = Base<'raise'> & { readonly action: 'ignore' | 'rollback' | 'abort' | 'fail'; readonly message: Expr | null }

export type Expr =
  | Literal | Parameter | ColumnRef | CurrentTime | Unary | Binary | Like | NullTest | Between | In | Collate | Cast | Case | Call
  | Exists | Subquery | Row | Raise

export type OrderTerm = Base<'order-term'> & {
  readonly expr: Expr
  readonly direction: 'asc' | 'desc' | null
  readonly nulls: 'first' | 'last' | null
}

export type WindowSpec = Base<'window'> & {
  readonly base: Name | null
  readonly partitionBy: readonly Expr[]
  readonly orderBy: readonly OrderTerm[]
  readonly frame: Frame | null
}
export type Frame = Base<'frame'> & {
  readonly unit: 'rows' | 'range' | 'groups'
  readonly from: FrameBound
  readonly to: FrameBound | null
  readonly exclude: 'no others' | 'current row' | 'group' | 'ties' | null
}
export type FrameBound = Base<'frame-bound'> & {
  readonly type: 'unbounded preceding' | 'preceding' | 'current row' | 'following' | 'unbounded following'
  readonly offset: Expr | null
}

// ---- queries -------------------------------------------------------------------------------------------------------------------

/** A query: one core, or several joined left to right by `operators` (one fewer than cores). ORDER BY and LIMIT are of the whole. */
export type Select = Base<'select'> & {
  readonly with: With | null
  readonly cores: readonly (SelectCore | Values)[]
  readonly operators: readonly CompoundOperator[]
  readonly orderBy: readonly OrderTerm[]
  readonly limit: Limit | null
}
export type CompoundOperator = 'union' | 'union all' | 'intersect' | 'except'

export type SelectCore = Base<'core'> & {
  readonly quantifier: 'distinct' | 'all' | null
  readonly columns: readonly (ResultColumn | Star)[]
  readonly from: From | null
  readonly where: Expr | null
  readonly groupBy: readonly Expr[]
  readonly having: Expr | null
  readonly windows: readonly NamedWindow[]
}
export type Values = Base<'values'> & { readonly rows: readonly Row[] }
export type ResultColumn = Base<'result'> & { readonly expr: Expr; readonly alias: Name | null }
export type Star = Base<'star'> & { readonly table: Name | null }
export type NamedWindow = Base<'named-window'> & { readonly name: Name; readonly window: WindowSpec }
/** `comma` tells `LIMIT offset, count`, whose order matters to parameters. */
export type Limit = Base<'limit'> & { readonly count: Expr; readonly offset: Expr | null; readonly comma: boolean }

export type With = Base<'with'> & { readonly recursive: boolean; readonly ctes: readonly Cte[] }
export type Cte = Base<'cte'> & {
  readonly name: Name
  readonly columns: readonly Name[]
  readonly materialized: boolean | null
  readonly select: Select
}

/** `first` and whatever is joined to it, left to right. */
export type From = Base<'from'> & { readonly first: Source; readonly joins: readonly Join[] }
export type Join = Base<'join'> & {
  readonly natural: boolean
  /** `comma` is an inner join without a word; `cross` also fixes the order of the loops in SQLite. */
  readonly type: 'comma' | 'inner' | 'cross' | 'left' | 'right' | 'full'
  readonly source: Source
  readonly on: Expr | null
  readonly using: readonly Name[]
}
export type Source = TableRef | Derived | Group

/** A table, view, CTE or (with `args`) table function, read or (as target of INSERT, UPDATE, DELETE) written. */
export type TableRef = Base<'table'> & {
  readonly schema: Name | null
  readonly name: Name
  readonly args: readonly Expr[] | null
  /** `AS OF n`: the state after entry n. */
  readonly asOf: Literal | Parameter | null
  readonly alias: Name | null
  readonly index: IndexHint | null
}
/** `INDEXED BY name`, or with null `NOT INDEXED`. */
export type IndexHint = Base<'index-hint'> & { readonly name: Name | null }
/** `(SELECT …) [AS alias]` in FROM. */
export type Derived = Base<'derived'> & { readonly select: Select; readonly alias: Name | null }
/** `(a JOIN b …) [AS alias]` in FROM. */
export type Group = Base<'group'> & { readonly from: From; readonly alias: Name | null }

// ---- writes --------------------------------------------------------------------------------------------------------------------

export type Resolution = 'rollback' | 'abort' | 'fail' | 'ignore' | 'replace'

export type Insert = Base<'insert'> & {
  readonly with: With | null
  /** `REPLACE INTO` is `INSERT OR REPLACE INTO`. */
  readonly or: Resolution | null
  readonly target: TableRef
  readonly columns: readonly Name[]
  /** null is DEFAULT VALUES. */
  readonly source: Select | null
  readonly upserts: readonly Upsert[]
  readonly returning: readonly (ResultColumn | Star)[]
}
export type Upsert = Base<'upsert'> & {
  readonly columns: readonly OrderTerm[]
  readonly columnsWhere: Expr | null
  /** Empty is DO NOTHING. */
  readonly set: readonly Assignment[]
  readonly where: Expr | null
}
/** `a = e`, or with `row` `(a, b) = e`. */
export type Assignment = Base<'assignment'> & { readonly row: boolean; readonly columns: readonly Name[]; readonly value: Expr }
export type Update = Base<'update'> & {
  readonly with: With | null
  readonly or: Resolution | null
  readonly target: TableRef
  readonly set: readonly Assignment[]
  readonly from: From | null
  readonly where: Expr | null
  readonly returning: readonly (ResultColumn | Star)[]
}
export type Delete = Base<'delete'> & {
  readonly with: With | null
  readonly target: TableRef
  readonly where: Expr | null
  readonly returning: readonly (ResultColumn | Star)[]
}

// ---- definitions ---------------------------------------------------------------------------------------------------------------

export type CreateTable = Base<'create-table'> & {
  readonly temporary: boolean
  readonly ifNotExists: boolean
  readonly name: QualifiedName
  /** Empty if `as` is given. */
  readonly columns: readonly ColumnDef[]
  readonly constraints: readonly TableConstraint[]
  /** As written: STRICT, `WITHOUT ROWID`. */
  readonly options: readonly TableOption[]
  readonly as: Select | null
}
export type TableOption = Base<'table-option'> & { readonly option: 'strict' | 'without rowid' }
export type ColumnDef = Base<'column-def'> & {
  readonly name: Name
  readonly type: TypeName | null
  readonly constraints: readonly ColumnConstraint[]
}

type Constraint<K extends string> = Base<K> & { readonly name: Name | null }
/** `CONSTRAINT x` that names nothing: SQLite accepts and forgets it. */
export type BareConstraint = Constraint<'bare-constraint'>
export type NotNullConstraint = Constraint<'not-null'> & { readonly conflict: Resolution | null }
/** `NULL`: accepted, means nothing. */
export type NullConstraint = Constraint<'null'> & { readonly conflict: Resolution | null }
export type PrimaryKeyColumn = Constraint<'primary-key-column'> & {
  readonly direction: 'asc' | 'desc' | null
  readonly conflict: Resolution | null
  readonly autoincrement: boolean
}
export type UniqueColumn = Constraint<'unique-column'> & { readonly conflict: Resolution | null }
export type DefaultConstraint = Constraint<'default'> & { readonly value: Expr }
export type CollateConstraint = Constraint<'collate-constraint'> & { readonly collation: Name }
/** `type` is the word after the parentheses, STORED or VIRTUAL. */
export type GeneratedConstraint = Constraint<'generated'> & { readonly always: boolean; readonly expr: Expr; readonly type: Name | null }
export type CheckConstraint = Constraint<'check'> & { readonly expr: Expr; readonly conflict: Resolution | null }
export type ReferencesConstraint = Constraint<'references'> & { readonly target: References }
export type DeferConstraint = Constraint<'deferrable'> & Deferral
/** SealDB: the column is visible to the relay (PLAINTEXT), or sealed with an equality token (BLIND). */
export type VisibilityConstraint = Constraint<'visibility'> & { readonly visibility: 'plaintext' | 'blind' }
export type ColumnConstraint =
  | BareConstraint | NotNullConstraint | NullConstraint | PrimaryKeyColumn | UniqueColumn | DefaultConstraint | CollateConstraint
  | GeneratedConstraint | CheckConstraint | ReferencesConstraint | DeferConstraint | VisibilityConstraint

export type Deferral = { readonly not: boolean; readonly initially: 'deferred' | 'immediate' | null }
export type References = Base<'references-target'> & {
  readonly table: Name
  readonly columns: readonly Name[]
  readonly actions: readonly ReferenceAction[]
}
export type ReferenceAction = Base<'reference-action'> & {
  readonly on: 'insert' | 'update' | 'delete' | 'match'
  readonly action: 'set null' | 'set default' | 'cascade' | 'restrict' | 'no action' | null
  /** The name after MATCH, which SQLite ignores. */
  readonly match: Name | null
}

export type PrimaryKey = Constraint<'primary-key'> & {
  readonly columns: readonly OrderTerm[]
  readonly autoincrement: boolean
  readonly conflict: Resolution | null
}
export type Unique = Constraint<'unique'> & { readonly columns: readonly OrderTerm[]; readonly conflict: Resolution | null }
export type ForeignKey = Constraint<'foreign-key'> & {
  readonly columns: readonly Name[]
  readonly target: References
  readonly deferral: DeferConstraint | null
}
export type TableConstraint = BareConstraint | PrimaryKey | Unique | CheckConstraint | ForeignKey

export type CreateIndex = Base<'create-index'> & {
  readonly unique: boolean
  readonly ifNotExists: boolean
  readonly name: QualifiedName
  readonly table: Name
  readonly columns: readonly OrderTerm[]
  readonly where: Expr | null
}
export type CreateView = Base<'create-view'> & {
  readonly temporary: boolean
  readonly ifNotExists: boolean
  readonly name: QualifiedName
  readonly columns: readonly Name[]
  readonly select: Select
}
export type TriggerStep = Insert | Update | Delete | Select
export type CreateTrigger = Base<'create-trigger'> & {
  readonly temporary: boolean
  readonly ifNotExists: boolean
  readonly name: QualifiedName
  readonly time: 'before' | 'after' | 'instead of' | null
  readonly event: 'insert' | 'update' | 'delete'
  /** `UPDATE OF a, b`. */
  readonly columns: readonly Name[]
  readonly table: QualifiedName
  readonly forEachRow: boolean
  readonly when: Expr | null
  readonly steps: readonly TriggerStep[]
}
/** Parsed so that it can be refused by name; `args` are the raw texts between commas. */
export type CreateVirtualTable = Base<'create-virtual-table'> & {
  readonly ifNotExists: boolean
  readonly name: QualifiedName
  readonly module: Name
  readonly args: readonly string[] | null
}
export type AlterTable = Base<'alter-table'> & { readonly name: QualifiedName; readonly action: AlterAction }
export type AlterAction =
  | (Base<'rename-table'> & { readonly to: Name })
  | (Base<'rename-column'> & { readonly column: Name; readonly to: Name })
  | (Base<'add-column'> & { readonly column: ColumnDef })
  | (Base<'drop-column'> & { readonly column: Name })
  | (Base<'add-constraint'> & { readonly constraint: CheckConstraint })
  | (Base<'drop-constraint'> & { readonly name: Name })
  | (Base<'set-not-null'> & { readonly column: Name; readonly conflict: Resolution | null })
  | (Base<'drop-not-null'> & { readonly column: Name })
export type Drop = Base<'drop'> & {
  readonly object: 'table' | 'index' | 'view' | 'trigger'
  readonly ifExists: boolean
  readonly name: QualifiedName
}
/** SealDB: `CREATE POLICY p ON t FOR … [TO role, …] [USING (e)] [WITH CHECK (e)]`. Without FOR it is for all. */
export type CreatePolicy = Base<'create-policy'> & {
  readonly name: Name
  readonly table: QualifiedName
  readonly command: 'insert' | 'update' | 'delete' | 'all'
  readonly roles: readonly Name[]
  readonly using: Expr | null
  readonly check: Expr | null
}
export type DropPolicy = Base<'drop-policy'> & { readonly ifExists: boolean; readonly name: Name; readonly table: QualifiedName }

// ---- the rest ------------------------------------------------------------------------------------------------------------------

export type Begin = Base<'begin'> & { readonly mode: 'deferred' | 'immediate' | 'exclusive' | null }
export type Commit = Base<'commit'>
/** With `to`: ROLLBACK TO a savepoint. */
export type Rollback = Base<'rollback'> & { readonly to: Name | null }
export type Savepoint = Base<'savepoint'> & { readonly name: Name }
export type Release = Base<'release'> & { readonly name: Name }
/** `form` tells `PRAGMA x = v` from `PRAGMA x(v)`. A bare word as value is a name. */
export type Pragma = Base<'pragma'> & {
  readonly schema: Name | null
  readonly name: Name
  readonly form: 'get' | 'assign' | 'call'
  readonly value: Name | SignedNumber | null
}
export type Explain = Base<'explain'> & {
  readonly mode: 'opcodes' | 'query plan' | 'verified'
  readonly statement: Exclude<Statement, Explain>
}
export type Attach = Base<'attach'> & { readonly file: Expr; readonly schema: Expr; readonly key: Expr | null }
export type Detach = Base<'detach'> & { readonly schema: Expr }
export type Reindex = Base<'reindex'> & { readonly name: QualifiedName | null }
export type Analyze = Base<'analyze'> & { readonly name: QualifiedName | null }
export type Vacuum = Base<'vacuum'> & { readonly schema: Name | null; readonly into: Expr | null }

export type Statement =
  | Select | Insert | Update | Delete
  | CreateTable | CreateIndex | CreateView | CreateTrigger | CreateVirtualTable | AlterTable | Drop | CreatePolicy | DropPolicy
  | Begin | Commit | Rollback | Savepoint | Release
  | Pragma | Explain | Attach | Detach | Reindex | Analyze | Vacuum

export type Node =
  | Statement | Expr
  | Name | QualifiedName | TypeName | SignedNumber | ExprList | When | OrderTerm | WindowSpec | Frame | FrameBound
  | SelectCore | Values | ResultColumn | Star | NamedWindow | Limit | With | Cte | From | Join | Source | IndexHint
  | Upsert | Assignment | TableOption | ColumnDef | ColumnConstraint | References | ReferenceAction | TableConstraint | AlterAction

export type NodeKind = Node['kind']
export type NodeOf<K extends NodeKind> = Extract<Node, { readonly kind: K }>
