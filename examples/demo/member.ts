/** One member of the demo, in a process of its own: it does what the story's teller (main.ts) asks over IPC, with the library as any application has it. */
import { createSpace, isSealError, joinSpace, type SealedSpace } from 'sealdb'
import { fileStore } from '../../engine/store/file/file.js'
import { loadWorld } from './world.js'

let space: SealedSpace | undefined
const alerts: { code: string; message: string; evidence?: string }[] = []
const liveResults: unknown[] = []

const opened = (): SealedSpace => {
  if (!space) throw new Error('no space is open')
  return space
}

function watch(found: SealedSpace): SealedSpace {
  found.on('alert', ({ code, message, evidence }) => alerts.push({ code, message, ...(evidence && { evidence: Buffer.from(evidence).toString('base64') }) }))
  space = found
  return found
}

/** What the teller may ask. Arguments and results are plain JSON. */
const acts = {
  create: async (directory: string, relay: string, name: string) => {
    watch(await createSpace({ store: fileStore(directory), relay, profile: { name } }))
    return Buffer.from(opened().id).toString('hex')
  },
  join: async (directory: string, link: string, name: string) => {
    watch(await joinSpace(link, { store: fileStore(directory), profile: { name }, onProgress: (done) => tell({ progress: done }) }))
    return { me: opened().me.id, entries: opened().head.size }
  },
  load: async () => loadWorld(opened(), (done, of) => tell({ progress: done, of })),
  invite: (role: 'writer' | 'reader') => opened().invite({ role }),
  exec: async (sql: string) => void (await opened().exec(sql)),
  query: async (sql: string, params: readonly (string | number)[] = []) => {
    const started = performance.now()
    const { rows } = await opened().query(sql, [...params])
    return { rows, milliseconds: performance.now() - started }
  },
  settled: () => opened().settled(),
  live: (sql: string) => {
    opened().live(sql).subscribe(({ rows }) => liveResults.push(rows))
    return null
  },
  liveResults: () => liveResults,
  connect: async () => {
    opened().connect()
    await opened().online()
  },
  /** Connect without waiting: the relay may be one that is found out before it is believed. */
  dial: () => opened().connect(),
  disconnect: () => opened().disconnect(),
  /** What Ada hands over, and what anybody may know of the space. */
  prove: async (sql: string) => {
    const { engine, id } = opened()
    if (engine.relay === undefined) throw new Error('the space has no relay')
    const [receipt, spaceId, relayKey] = [await opened().prove(sql), id, engine.relay.publicKey].map((bytes) => Buffer.from(bytes).toString('base64'))
    return { receipt, spaceId, relayName: engine.relay.name, relayKey } as { receipt: string; spaceId: string; relayName: string; relayKey: string }
  },
  remove: (member: number) => opened().remove(member),
  status: () => ({ size: opened().head.size, root: Buffer.from(opened().head.stateRoot).toString('hex'), pending: opened().pending, writable: opened().writable, alerts }),
  forgetAlerts: () => { alerts.length = 0 },
  close: async () => opened().close(),
} as const

export type Acts = { [K in keyof typeof acts]: (typeof acts)[K] }

function tell(message: object): void {
  process.send?.(message)
}

process.on('message', (message: { readonly id: number; readonly act: keyof typeof acts; readonly args: readonly unknown[] }) => {
  const act = acts[message.act] as (...args: readonly unknown[]) => unknown
  Promise.resolve()
    .then(() => act(...message.args))
    .then((result) => tell({ id: message.id, result: result ?? null }))
    .catch((error: unknown) => tell({ id: message.id, error: error instanceof Error ? error.message : String(error), code: isSealError(error) ? error.code : 'unexpected', facts: isSealError(error) ? error.facts : {} }))
})
tell({ ready: true })
