/** What a policy reads, of any member's making. Apart from what compiles policies (policies.ts), which few pages ever do: this is asked at every definition. */
import { type ColumnId, type ObjectId, type Policy, type PolicyExpression } from '../engine/space/types.js'

/** Tables, and columns of the table itself (id `table`) and of others, that a policy reads: they can't be dropped under it. */
export function policyReads(policy: Policy, table: ObjectId): readonly { readonly table: ObjectId; readonly column?: ColumnId; readonly index?: number }[] {
  const reads: { table: ObjectId; column?: ColumnId; index?: number }[] = []
  const visit = (e: PolicyExpression, other: ObjectId): void => {
    if (e.kind === 'column') reads.push({ table: e.of === 'row' ? table : other, column: e.column })
    else if (e.kind === 'exists') {
      reads.push(e.index === undefined ? { table: e.table } : { table: e.table, index: e.index })
      for (const each of e.prefix) visit(each, other)
      if (e.where) visit(e.where, e.table)
    } else if (e.kind === 'in') for (const each of [e.value, ...e.list]) visit(each, other)
    else if ('value' in e && e.kind !== 'constant') visit(e.value, other)
    else if ('left' in e) for (const each of [e.left, e.right]) visit(each, other)
  }
  for (const clause of [policy.using, policy.check]) if (clause) visit(clause, table)
  return reads
}
