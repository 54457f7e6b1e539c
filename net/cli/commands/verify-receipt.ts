/** `sealdb verify-receipt`: what a receipt proves, without a space. */
import { isSealError, openReceipt, type OpenedReceipt, type ReceiptTrust } from 'sealdb'
import { decodeHex } from '../../../engine/codec/bytes.js'
import { SealError } from '../../../engine/errors.js'
import { requiredArg, text, type Command, type Invocation } from '../command.js'
import { readInput } from '../files.js'
import { fingerprint } from '../fingerprint.js'

export const verifyReceipt: Command = {
  name: 'verify-receipt',
  args: 'FILE',
  summary: 'check a receipt, offline, and show what it proves',
  details: `You say which space you mean, and whom you believe: the device that founded it, or also its relay. Both come to you from somebody you
trust; sealdb verify shows them. A receipt does not say that the rows are still so, nor that there are no others. Exit code 1: it proves nothing.`,
  options: {
    space: { type: 'string', value: 'HEX', help: 'the id of the space (required)' },
    'relay-name': { type: 'string', value: 'NAME', help: 'believe the relay of this name' },
    'relay-key': { type: 'string', value: 'HEX', help: '… and this key' },
  },
  run: async (invocation) => {
    const { output } = invocation
    const trust = trustOf(invocation)
    const bytes = readInput(requiredArg(invocation, 0, 'a file'))
    let opened: OpenedReceipt
    try {
      opened = await openReceipt(bytes, trust)
    } catch (error) {
      if (!isSealError(error) || error.family !== 'hostile') throw error
      output.object({ proves: 'nothing', code: error.code, reason: error.message, ...(!trust.relay && { hint: 'With --relay-name and --relay-key (sealdb verify shows them) the relay is believed, too.' }) })
      return 1
    }
    show(invocation, opened)
    return 0
  },
}

function show({ output }: Invocation, { receipt, table, rows }: OpenedReceipt): void {
  const { head, relay, vouchers } = receipt
  const facts = {
    proves: `${rows.length} ${rows.length === 1 ? 'row' : 'rows'} of ${table}`, size: head.size, fingerprint: fingerprint(head.logRoot), relay: relay ? 'stands behind it' : 'not believed',
    vouchers: vouchers.map(({ member, device, founder, trusted }) => ({ member, device, founder, trusted })),
  }
  if (output.json) output.object({ ...facts, table, rows })
  else {
    output.object(facts)
    output.table(rows.map(({ values, author, version }) => ({ ...values, 'written by': author, 'in entry': version })))
  }
}

function trustOf(invocation: Invocation): ReceiptTrust {
  const space = text(invocation, 'space')
  const name = text(invocation, 'relay-name')
  const key = text(invocation, 'relay-key')
  if (space === undefined) throw new SealError('bad-argument', 'Expected --space: a receipt is of the space that you mean, not of the one that it names.')
  if ((name === undefined) !== (key === undefined)) throw new SealError('bad-argument', 'Expected --relay-name and --relay-key together.')
  return { spaceId: hash(space, '--space'), ...(name !== undefined && key !== undefined && { relay: { name, publicKey: hash(key, '--relay-key') } }) }
}

function hash(value: string, option: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/i.test(value)) throw new SealError('bad-argument', `Expected ${option} to be 64 hexadecimal digits.`)
  return decodeHex(value.toLowerCase())
}
