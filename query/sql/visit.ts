/** Walking and rewriting trees without knowing every kind: any field that holds a node, or a list of nodes, is a child. */
import type { Node, NodeKind, NodeOf } from './ast.js'

/** The children of `node` in source order. */
export function* children(node: Node): Generator<Node> {
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) yield* value.filter(isNode)
    else if (isNode(value)) yield value
  }
}

/**
 * Visit `node` and all below it: `enter` before the children (return false to pass over them), `leave` after.
 *
 * @example
 * walk(statement, (node) => { if (node.kind === 'parameter') names.add(node.name) })
 */
export function walk(node: Node, enter: (node: Node) => boolean | void, leave?: (node: Node) => void): void {
  if (enter(node) !== false) for (const child of children(node)) walk(child, enter, leave)
  leave?.(node)
}

/** Every node of one kind, in source order. */
export function findAll<K extends NodeKind>(node: Node, kind: K): NodeOf<K>[] {
  const found: NodeOf<K>[] = []
  walk(node, (each) => {
    if (isKind(each, kind)) found.push(each)
  })
  return found
}

/**
 * A copy in which `change` replaced nodes, children first. What did not change is shared with the original. `change` must give a node that
 * may stand in the same place: an expression for an expression, a source for a source.
 */
export function transform<N extends Node>(node: N, change: (node: Node) => Node): N {
  let copy: Record<string, unknown> | undefined
  for (const [field, value] of Object.entries(node)) {
    const changed: unknown = Array.isArray(value) ? transformList(value, change) : isNode(value) ? transform(value, change) : value
    if (changed !== value) (copy ??= { ...node })[field] = changed
  }
  return change((copy ?? node) as N) as N // the caller's promise, see above
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && 'kind' in value
const isKind = <K extends NodeKind>(node: Node, kind: K): node is NodeOf<K> => node.kind === kind

function transformList(items: readonly unknown[], change: (node: Node) => Node): readonly unknown[] {
  const changed = items.map((item) => isNode(item) ? transform(item, change) : item)
  return changed.some((item, at) => item !== items[at]) ? changed : items
}
