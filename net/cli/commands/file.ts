/** `sealdb file`: put, get, list, release and delete files of a space. */
import type { FileInfo, SealedSpace } from 'sealdb'
import { createReadStream, createWriteStream, rmSync } from 'node:fs'
import { basename } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { SealError } from '../../../engine/errors.js'
import { oneOf, requiredArg, text, type Command, type Invocation } from '../command.js'
import { createFile, inputStat } from '../files.js'
import { STORE, withSpace } from '../spaces.js'

const ACTIONS = ['put', 'get', 'ls', 'release', 'rm'] as const

export const file: Command = {
  name: 'file',
  args: 'ACTION [FILE|ID]',
  summary: 'put, get, list, release and delete files of a space',
  details: `  sealdb file put photo.jpg --type image/jpeg    seals it, and brings it to the relay
  sealdb file ls                                 id, name, type, length; whether it is on this device
  sealdb file get ID -o photo.jpg                verified, never over something that is there
  sealdb file release ID                         its content off this device, if the relay has it
  sealdb file rm ID                              for whoever put it, and admins
ID may be shortened, or be a name that one file has.`,
  options: {
    ...STORE,
    out: { type: 'string', short: 'o', value: 'FILE', help: 'get: where to write it (default: its name, in this directory)' },
    name: { type: 'string', value: 'NAME', help: 'put: what others see (default: that of FILE)' },
    type: { type: 'string', value: 'TYPE', help: 'put: a media type' },
  },
  run: (invocation) => {
    const action = oneOf(requiredArg(invocation, 0, `one of ${ACTIONS.join(', ')}`), 'the action', ACTIONS)
    const what = action === 'ls' ? '' : requiredArg(invocation, 1, action === 'put' ? 'a file' : 'the id of a file')
    return withSpace(invocation, (space) => RUN[action](space, invocation, what))
  },
}

const RUN: Readonly<Record<(typeof ACTIONS)[number], (space: SealedSpace, invocation: Invocation, what: string) => Promise<number>>> = { put, get, ls, release, rm }

async function put(space: SealedSpace, invocation: Invocation, path: string): Promise<number> {
  const { size } = inputStat(path)
  const type = text(invocation, 'type')
  const progress = invocation.output.progress('sealing')
  const made = await space.files.put(createReadStream(path), { name: text(invocation, 'name') ?? basename(path), ...(type !== undefined && { type }), onProgress: (done) => progress.update(done, size) })
  progress.done()
  // Offline it waits, like entries do, and is brought by any later command.
  if (space.connection === 'online') await space.files.settled()
  invocation.output.object({ id: made.id, name: made.name, length: made.length })
  return 0
}

async function get(space: SealedSpace, invocation: Invocation, which: string): Promise<number> {
  const { id, name, length } = await find(space, which)
  const out = text(invocation, 'out') ?? nameFor(name, id)
  const opened = await space.files.get(id)
  const descriptor = createFile(out)
  const progress = invocation.output.progress('reading')
  try {
    await pipeline(counted(opened.stream(), (done) => progress.update(done, length)), createWriteStream(out, { fd: descriptor }))
  } catch (error) {
    rmSync(out)
    throw error
  } finally {
    progress.done()
  }
  invocation.output.object({ file: out, id, length })
  return 0
}

async function ls(space: SealedSpace, { output }: Invocation): Promise<number> {
  output.table((await space.files.list()).map(({ id, name, type, length, author, local }) => ({ id, name: name ?? '', type: type ?? '', length, author, local: local ? 'yes' : '' })))
  return 0
}

async function release(space: SealedSpace, invocation: Invocation, which: string): Promise<number> {
  const { id, name } = await find(space, which)
  await space.files.release(id)
  invocation.output.object({ released: id, name: name ?? '' })
  return 0
}

async function rm(space: SealedSpace, invocation: Invocation, which: string): Promise<number> {
  const { id, name } = await find(space, which)
  await space.files.delete(id)
  invocation.output.object({ deleted: id, name: name ?? '' })
  return 0
}

/** By id, the beginning of one, or a name that only one file has. Throws `bad-argument`. */
async function find(space: SealedSpace, which: string): Promise<FileInfo> {
  const files = await space.files.list()
  const found = files.filter(({ id, name }) => (/^[0-9a-f]{4,64}$/.test(which) && id.startsWith(which)) || name === which)
  if (found.length > 1) throw new SealError('bad-argument', `Several files are meant by ${which}: ${found.map(({ id }) => id.slice(0, 12)).join(', ')}. Give more of the id.`)
  const [one] = found
  if (!one) throw new SealError('bad-argument', `There is no file ${which}. See: sealdb file ls`)
  return one
}

/** What another member called it is no path: it can't say where to write. */
function nameFor(name: string | undefined, id: string): string {
  const safe = (name ?? '').replace(/[^\p{L}\p{N}._ -]/gu, '_').replace(/^[. ]+/, '')
  return safe === '' ? id.slice(0, 16) : safe
}

async function* counted(parts: AsyncIterable<Uint8Array>, told: (done: number) => void): AsyncGenerator<Uint8Array> {
  let done = 0
  for await (const part of parts) {
    yield part
    told((done += part.length))
  }
}
