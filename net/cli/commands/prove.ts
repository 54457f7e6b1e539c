/** `sealdb prove`: a receipt for rows, which anybody can check offline. */
import { requiredArg, text, type Command } from '../command.js'
import { writeNew } from '../files.js'
import { STORE, withSpace } from '../spaces.js'

export const prove: Command = {
  name: 'prove',
  args: 'SQL',
  summary: 'write a receipt for rows, which anybody can check',
  details: `SQL is SELECT * FROM one table WHERE … The receipt opens those rows, whole, and the table’s definition, to whoever gets to see it; nothing
else. It says that they were in the space at its head, and who wrote them. Check it with sealdb verify-receipt.`,
  options: { ...STORE, out: { type: 'string', short: 'o', value: 'FILE', help: 'where to write it (default receipt.bin); never over something' } },
  run: (invocation) => withSpace(invocation, async (space) => {
    const sql = requiredArg(invocation, 0, 'a query')
    const file = text(invocation, 'out') ?? 'receipt.bin'
    const receipt = await space.prove(sql)
    writeNew(file, receipt)
    invocation.output.object({ receipt: file, bytes: receipt.length })
    return 0
  }),
}
