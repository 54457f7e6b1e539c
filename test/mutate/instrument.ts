/**
 * Every mutant of a source file at once: each check in it asks, when it is evaluated, whether it is the one that is missing (`runner.ts` says which), and tells when
 * that would make a difference. So one compilation, and one run of a test, serve all mutants: a check that never decides anything in a test needs no run to survive it.
 *
 *   guard      `if (c)` is never taken                     operand    an operand of `&&` holds, of `||` does not
 *   choice     `c ? undefined : b` is always b             boundary   `<` becomes `<=`, `>` becomes `>=`, and the reverse
 *   answer     what returns a boolean returns true         call       a statement that calls a `check…` is left out
 *   limit      a bound `MAX_…` that is handed on is 2^40
 */
import ts from 'typescript'

export interface Mutant { readonly id: string; readonly line: number; readonly kind: string; readonly text: string }
export interface Instrumented { readonly code: string; readonly mutants: readonly Mutant[] }

const CHECKING = /^#?(check|assert|require|refuse|expect|verify|ensure|must|reject|end$)/
const COMPARISONS = new Map<ts.SyntaxKind, string>([[ts.SyntaxKind.LessThanToken, '<'], [ts.SyntaxKind.LessThanEqualsToken, '<='], [ts.SyntaxKind.GreaterThanToken, '>'], [ts.SyntaxKind.GreaterThanEqualsToken, '>=']])

/** `path` names the mutants; lines stay where they are. */
export function instrument(path: string, source: string, limits = false): Instrumented {
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS)
  const mutants: Mutant[] = []
  const add = (node: ts.Node, kind: string): string => {
    const line = file.getLineAndCharacterOfPosition(node.getStart()).line + 1
    const id = `${path}:${line}#${mutants.length}`
    mutants.push({ id, line, kind, text: node.getText().replace(/\s+/g, ' ').slice(0, 140) })
    return JSON.stringify(id)
  }
  const render = (node: ts.Node): string => {
    const wrappers = wrappersOf(node).map(({ helper, kind }) => `__mutants.${helper}(${add(node, kind)}, `)
    const operator = ts.isBinaryExpression(node) ? COMPARISONS.get(node.operatorToken.kind) : undefined
    let inner: string
    if (operator !== undefined && ts.isBinaryExpression(node) && isInCheck(node)) {
      const id = add(node, 'boundary')
      inner = `__mutants.boundary(${id}, ${render(node.left)}, ${JSON.stringify(operator)}, ${render(node.right)})`
    } else inner = children(node)
    if (ts.isCallExpression(node) && isCheckStatement(node)) return `__mutants.call(${add(node, 'call')}, () => ${inner})`
    if (limits && isHandedLimit(node)) return `__mutants.limit(${add(node.parent, `limit ${node.getText()}`)}, ${inner})`
    return wrappers.join('') + inner + ')'.repeat(wrappers.length)
  }
  const children = (node: ts.Node): string => {
    let out = ''
    let at = node.getStart()
    ts.forEachChild(node, (child) => {
      if (ts.isTypeNode(child) || child.getStart() < at) return
      out += source.slice(at, child.getStart()) + render(child)
      at = child.getEnd()
    })
    return out + source.slice(at, node.getEnd())
  }
  const code = children(file) + source.slice(file.getEnd())
  return { code: source.slice(0, file.getStart()) + code, mutants }
}

interface Wrapper { readonly helper: 'never' | 'always'; readonly kind: string }
const NEVER: Wrapper = { helper: 'never', kind: 'choice' }
const ALWAYS: Wrapper = { helper: 'always', kind: 'choice' }

function wrappersOf(node: ts.Node): readonly Wrapper[] {
  const { parent } = node
  if (parent === undefined || !ts.isExpression(node) || node.kind === ts.SyntaxKind.TrueKeyword || node.kind === ts.SyntaxKind.FalseKeyword) return []
  if (ts.isIfStatement(parent) && parent.expression === node) return isOr(node) || isInvariant(parent.thenStatement) ? [] : [{ helper: 'never', kind: 'guard' }]
  if (ts.isBinaryExpression(parent) && isLogical(parent) && isDecision(parent)) {
    if (isLogical(node) && kindOf(node) === kindOf(parent)) return []
    return isOr(parent) ? [{ helper: 'never', kind: 'operand' }] : [{ helper: 'always', kind: 'operand' }]
  }
  if (ts.isConditionalExpression(parent) && parent.condition === node) return [...isRefusal(parent.whenTrue) ? [NEVER] : [], ...isRefusal(parent.whenFalse) ? [ALWAYS] : []]
  if (isAnswer(node) && !isLogical(node)) return [{ helper: 'always', kind: 'answer' }]
  return []
}

function isLogical(node: ts.Node): node is ts.BinaryExpression {
  const plain = unwrap(node)
  return ts.isBinaryExpression(plain) && (plain.operatorToken.kind === ts.SyntaxKind.AmpersandAmpersandToken || plain.operatorToken.kind === ts.SyntaxKind.BarBarToken)
}
function kindOf(node: ts.Node): ts.SyntaxKind {
  return (unwrap(node) as ts.BinaryExpression).operatorToken.kind
}
function isOr(node: ts.Node): boolean {
  return isLogical(node) && kindOf(node) === ts.SyntaxKind.BarBarToken
}
function unwrap(node: ts.Node): ts.Node {
  return ts.isParenthesizedExpression(node) ? unwrap(node.expression) : node
}
/** What `node` is a part of, without parentheses and negations. */
function placeOf(node: ts.Node): ts.Node {
  let at = node
  while (ts.isParenthesizedExpression(at.parent) || ts.isPrefixUnaryExpression(at.parent) && at.parent.operator === ts.SyntaxKind.ExclamationToken) at = at.parent
  return at
}
/** `a && b` of which only the truth matters. */
function isDecision(node: ts.BinaryExpression): boolean {
  if (!isLogical(node)) return false
  const at = placeOf(node)
  const { parent } = at
  if (at !== node && ts.isPrefixUnaryExpression(at)) return true
  if (ts.isBinaryExpression(parent) && isLogical(parent)) return isDecision(parent)
  if (ts.isIfStatement(parent) || ts.isConditionalExpression(parent)) return (ts.isIfStatement(parent) ? parent.expression : parent.condition) === at
  if (isAnswer(at)) return true
  return (ts.isVariableDeclaration(parent) || ts.isArrowFunction(parent) || ts.isReturnStatement(parent) || ts.isCallExpression(parent)) && isTruth(node)
}
/** An expression that is true or false by its look. */
function isTruth(node: ts.Node): boolean {
  const plain = unwrap(node)
  if (isLogical(plain)) return isTruth((plain).left) && isTruth((plain).right)
  if (ts.isPrefixUnaryExpression(plain)) return plain.operator === ts.SyntaxKind.ExclamationToken
  if (ts.isBinaryExpression(plain)) return COMPARISONS.has(plain.operatorToken.kind) || [ts.SyntaxKind.EqualsEqualsEqualsToken, ts.SyntaxKind.ExclamationEqualsEqualsToken].includes(plain.operatorToken.kind)
  return ts.isCallExpression(plain) && /^#?(is|has|equal|verify|same|every|some|includes|atLeast)/.test(nameOf(plain))
}
/** What a function that answers yes or no returns; or a comparison of bytes, whatever is done with it. */
function isAnswer(node: ts.Node): boolean {
  const { parent } = node
  if (ts.isReturnStatement(parent)) {
    let at: ts.Node = parent
    while (!ts.isFunctionLike(at)) at = at.parent
    return isYesNo(at.type) && !ts.isAwaitExpression(node)
  }
  if (ts.isArrowFunction(parent) && parent.body === node) return isYesNo(parent.type) || isTruth(node)
  return ts.isCallExpression(node) && nameOf(node) === 'equalBytes' && !ts.isIfStatement(parent) && !(ts.isBinaryExpression(parent) && isLogical(parent))
}
function isYesNo(type: ts.TypeNode | undefined): boolean {
  return type !== undefined && (type.kind === ts.SyntaxKind.BooleanKeyword || ts.isTypePredicateNode(type))
}
function isInCheck(node: ts.BinaryExpression): boolean {
  const { parent } = placeOf(node)
  return ts.isIfStatement(parent) || ts.isConditionalExpression(parent) || ts.isBinaryExpression(parent) && isLogical(parent) || isTruthPlace(placeOf(node))
}
function isTruthPlace(node: ts.Node): boolean {
  return isAnswer(node) || ts.isVariableDeclaration(node.parent)
}
function nameOf(call: ts.CallExpression): string {
  const callee = call.expression
  return ts.isPropertyAccessExpression(callee) ? callee.name.text : ts.isIdentifier(callee) ? callee.text : ''
}
function isCheckStatement(node: ts.CallExpression): boolean {
  const statement = ts.isAwaitExpression(node.parent) || ts.isVoidExpression(node.parent) ? node.parent.parent : node.parent
  return ts.isExpressionStatement(statement) && CHECKING.test(nameOf(node)) && !/\b(await|yield)\b/.test(node.getText())
}
function isHandedLimit(node: ts.Node): boolean {
  return ts.isIdentifier(node) && /^MAX_/.test(node.text) && (ts.isCallExpression(node.parent) || ts.isNewExpression(node.parent)) && node.parent.expression !== node
}
/** What a choice has for what is not as it should be: nothing, a no, an error, a refusal. */
function isRefusal(node: ts.Expression): boolean {
  const plain = unwrap(node)
  return plain.kind === ts.SyntaxKind.FalseKeyword || ts.isIdentifier(plain) && plain.text === 'undefined' || /^(new SealError|new Reject|\{ code:|ignored\(|reject)/.test(plain.getText())
}
/** A guard against bugs of our own, which nothing reaches. */
function isInvariant(then: ts.Statement): boolean {
  return /throw (new SealError\('invariant'|invariant\()/.test(then.getText())
}
