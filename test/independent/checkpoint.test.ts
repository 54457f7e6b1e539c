/** PROTOCOL.md §4 is enough: checkpoints opened by a program written from its text alone, and by the engine, come to the same. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { isSealError } from '../../engine/errors.js'
import { nodeProvider } from '../../engine/crypto/node.js'
import { checkpointVerifier, openCheckpoint as openByEngine, originOfSpace, parseStateLine } from '../../engine/log/checkpoint.js'
import { cosignatureVerifier } from '../../engine/log/cosignature.js'
import { openCheckpoint, parseKey } from './checkpoint.mjs'
import { importsOf } from './imports.js'

const vectors = JSON.parse(readFileSync(new URL('../vectors/checkpoint.json', import.meta.url), 'utf8')) as {
  readonly spaceId: string; readonly relayKey: string; readonly witnessKey: string; readonly timestamp: string; readonly signed: string; readonly cosigned: string
  readonly checkpoint: { readonly size: number; readonly root: string; readonly stateRoot: string }
  readonly refused: readonly { readonly what: string; readonly note: string }[]
}
const spaceId = Buffer.from(vectors.spaceId, 'hex')
const relay = parseKey(vectors.relayKey)
const witness = parseKey(vectors.witnessKey)
const open = (note: Buffer): unknown => {
  const { size, logRoot, stateRoot, cosigned } = openCheckpoint(note, spaceId, relay.publicKey, [witness])
  return [size, logRoot.toString('hex'), stateRoot.toString('hex'), cosigned.map(({ name, time }) => `${name} ${time}`)]
}

const verifiers = [checkpointVerifier(nodeProvider, originOfSpace(spaceId), relay.publicKey), cosignatureVerifier(nodeProvider, witness.name, witness.publicKey)] as const
function openEngine(note: Buffer): unknown {
  const found = openByEngine(note, originOfSpace(spaceId), verifiers[0], [verifiers[1]])
  return [found.size, Buffer.from(found.root).toString('hex'), Buffer.from(parseStateLine(found)).toString('hex'), found.cosignatures.map(({ name, timestamp }) => `${name} ${timestamp}`)]
}

/** What it opens to, or that it is refused. */
function outcome(run: (note: Buffer) => unknown, note: Buffer, isRefusal: (error: unknown) => boolean): unknown {
  try {
    return run(note)
  } catch (error) {
    if (isRefusal(error)) return 'refused'
    throw error
  }
}
const both = (note: Buffer): [unknown, unknown] => [outcome(open, note, (error) => error instanceof Error), outcome(openEngine, note, (error) => isSealError(error) && error.family !== 'bug')]

it('imports nothing of the engine', () => {
  expect(importsOf('./checkpoint.mjs')).toEqual(['node:crypto'])
})

it('opens the notes of the vectors, and refuses those that they say are wrong', () => {
  const { size, root, stateRoot } = vectors.checkpoint
  expect([relay.type, witness.type]).toEqual([1, 4])
  expect(open(Buffer.from(vectors.signed))).toEqual([size, root, stateRoot, []])
  expect(open(Buffer.from(vectors.cosigned))).toEqual([size, root, stateRoot, [`${witness.name} ${vectors.timestamp}`]])
  for (const { what, note } of vectors.refused) expect(() => open(Buffer.from(note)), what).toThrow()
})

it('says what the engine says of notes with any byte changed, taken out or doubled', () => {
  let accepted = 0
  for (const text of [vectors.signed, vectors.cosigned]) {
    const note = Buffer.from(text)
    for (let at = 0; at < note.length; at++) {
      const byte = note[at] as number
      const changed = [byte ^ 1, 0x0a].filter((other) => other !== byte).map((other) => Buffer.concat([note.subarray(0, at), Buffer.of(other), note.subarray(at + 1)]))
      for (const each of [...changed, Buffer.concat([note.subarray(0, at), note.subarray(at + 1)]), Buffer.concat([note.subarray(0, at + 1), note.subarray(at)])]) {
        const [own, engine] = both(each)
        expect(own, `at ${at}: ${JSON.stringify(each.toString('latin1'))}`).toEqual(engine)
        if (own !== 'refused') accepted++
      }
    }
  }
  // A witness whose name or key id is another's is one that nobody knows.
  expect(accepted).toBeGreaterThan(20)
})

it('and of lines in another order, doubled, or left out', () => {
  const lines = vectors.cosigned.split('\n')
  for (let a = 0; a < lines.length; a++) {
    for (let b = 0; b <= lines.length; b++) {
      const moved = lines.filter((_, i) => i !== a)
      moved.splice(b, 0, lines[a] as string)
      for (const changed of [moved, lines.toSpliced(b, 0, lines[a] as string), lines.toSpliced(a, 1)]) {
        const [own, engine] = both(Buffer.from(changed.join('\n')))
        expect(own, changed.join('\n')).toEqual(engine)
      }
    }
  }
})
