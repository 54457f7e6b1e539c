/** `sealdb audit`: a store read from its first entry, everything recomputed, nothing believed. */
import { loadProvider } from 'sealdb'
import { encodeHex } from '../../../engine/codec/bytes.js'
import { audit as auditStore } from '../../../engine/space/audit.js'
import type { Command } from '../command.js'
import { existingStoreOf, STORE } from '../spaces.js'

export const audit: Command = {
  name: 'audit',
  args: '',
  summary: 'check a store from its first entry on',
  details: `Every signature, verdict and root is computed anew; then the stored head, snapshot and pending entries are compared, and rows with
their indexes. Needs no secret, so an operator can audit a relay that was stopped: --store ./relay/spaces/<id>. Exit code 1: problems.`,
  options: { store: STORE.store },
  run: async (invocation) => {
    const { output } = invocation
    const progress = output.progress('auditing')
    const store = await existingStoreOf(invocation).open()
    try {
      const { spaceId, head, problems, ...report } = await auditStore(store, await loadProvider(), (entries, of) => progress.update(entries, of))
      progress.done()
      output.object({
        space: encodeHex(spaceId), size: head.size, logRoot: encodeHex(head.logRoot), stateRoot: encodeHex(head.stateRoot), ...report,
        ...(output.json && { problems }),
      })
      if (!output.json) {
        for (const problem of problems) output.print(output.style('red', `problem: ${problem}`))
        output.print(problems.length === 0 ? output.style('green', 'sound') : output.style('red', `${problems.length} problems`))
      }
      return problems.length === 0 ? 0 : 1
    } finally {
      await store.close()
    }
  },
}
