/** What an application's page offers to the tests: it knows the package's entry points, as they are shipped, and nothing else. */
import { createSpace, isSealError, openSpace, type Heard, type SealedDocument, type SealedSpace } from 'sealdb'
import { indexedDbStore } from 'sealdb/store/indexeddb'
import { bytesOf } from './content.js'

let space: SealedSpace | undefined
const opened = (): SealedSpace => {
  if (space === undefined) throw new Error('no space is open in this tab')
  return space
}
/** One object a document: it is not told of what it appends itself. */
const documents = new Map<string, SealedDocument>()
function documentOf(name: string): SealedDocument {
  const document = documents.get(name) ?? opened().documents.open(name)
  documents.set(name, document)
  return document
}
/** Parts of documents and words of others, as they came. */
const parts: string[] = []
const heard: Heard[] = []

async function codeOf(work: () => Promise<unknown>): Promise<string> {
  try {
    await work()
    return 'ok'
  } catch (error) {
    return isSealError(error) ? `${error.code}${typeof error.facts.reason === 'string' ? `: ${error.facts.reason}` : ''}` : String(error)
  }
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const encode = (words: string): Uint8Array => new TextEncoder().encode(words)
const hash = async (bytes: Uint8Array): Promise<string> => [...new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes)))].map((byte) => byte.toString(16).padStart(2, '0')).join('')

const page = {
  create: (name: string, relay?: string) => codeOf(async () => { space = await createSpace({ store: indexedDbStore(name), profile: { name }, ...(relay !== undefined && { relay }) }) }),
  open: (name: string) => codeOf(async () => { space = await openSpace({ store: indexedDbStore(name) }) }),
  exec: (sql: string) => codeOf(() => opened().exec(sql)),
  rows: async (sql: string) => (await opened().query(sql)).rows,
  invite: () => opened().invite({ role: 'writer' }),
  online: () => opened().online(),
  connection: () => opened().connection,
  disconnect: () => opened().disconnect(),
  connect: () => opened().connect(),
  close: () => opened().close(),
  /** Names of what the page has fetched. */
  fetched: () => performance.getEntriesByType('resource').map(({ name }) => name.slice(name.lastIndexOf('/') + 1)),
  /** Whatever is fetched from now on is kept. */
  keep: async () => {
    await navigator.serviceWorker.register('worker.js')
    await navigator.serviceWorker.ready
  },

  put: async (length: number, seed: number, name: string) => (await opened().files.put(bytesOf(length, seed), { name })).id,
  get: (id: string) => codeOf(async () => (await opened().files.get(id)).bytes()),
  hash: async (id: string) => hash(await (await opened().files.get(id)).bytes()),
  /** As it is streamed: how many pieces, and a hash of them all. */
  stream: async (id: string, from: number, to: number) => {
    const pieces: Uint8Array<ArrayBuffer>[] = []
    for await (const piece of (await opened().files.get(id)).stream({ from, to })) pieces.push(Uint8Array.from(piece))
    return { pieces: pieces.length, hash: await hash(new Uint8Array(await new Blob(pieces).arrayBuffer())) }
  },
  file: async (id: string) => {
    const { name, length } = await opened().files.get(id)
    return { name, length }
  },

  append: (document: string, words: string) => documentOf(document).append(encode(words)),
  read: async (document: string) => (await documentOf(document).read()).map(text),
  follow: (document: string) => { documentOf(document).subscribe((fresh) => parts.push(...fresh.map(text))) },
  followed: () => parts,
  compact: (document: string) => documentOf(document).compact((all) => encode(all.map(text).join(' '))),

  listen: () => { opened().presence.subscribe((each) => heard.push(each)) },
  said: () => heard.filter(({ payload }) => payload.length > 0).map(({ member, payload }) => `${member}: ${text(payload)}`),
  say: (words: string) => opened().presence.send(encode(words)),
  here: () => opened().presence.here.map(({ member }) => member),
}

export type App = typeof page
Object.assign(globalThis, { page })
