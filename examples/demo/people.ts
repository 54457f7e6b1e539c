/** Starting the demo's processes and talking to them. */
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Acts } from './member.js'

type Result<K extends keyof Acts> = Awaited<ReturnType<Acts[K]>>

export interface Person {
  readonly name: string
  /** Ask for something; rejects with an `Error` whose `code` is SealDB's. */
  ask<K extends keyof Acts>(act: K, ...args: Parameters<Acts[K]>): Promise<Result<K>>
  onProgress: (done: number, of?: number) => void
  stop(): void
}

export class Refusal extends Error {
  readonly code: string
  constructor(message: string, code: string) {
    super(message)
    this.code = code
  }
}

interface Answer { readonly id?: number; readonly result?: unknown; readonly error?: string; readonly code?: string; readonly progress?: number; readonly of?: number; readonly ready?: true }

function start(file: string, args: readonly string[] = []): ChildProcess {
  return fork(fileURLToPath(new URL(file, import.meta.url)), [...args], { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
}

export async function person(name: string): Promise<Person> {
  const child = start('./member.ts')
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  let next = 1
  const self: Person = {
    name,
    ask: (act, ...args) => new Promise((resolve, reject) => {
      const id = next++
      waiting.set(id, { resolve, reject })
      child.send({ id, act, args })
    }),
    onProgress: () => undefined,
    stop: () => child.kill(),
  }
  const ready = new Promise<void>((resolve, reject) => {
    child.on('exit', () => reject(new Error(`${name}'s process did not start`)))
    child.on('message', (message: Answer) => {
      if (message.ready) resolve()
      if (message.progress !== undefined) self.onProgress(message.progress, message.of)
      const asked = message.id === undefined ? undefined : waiting.get(message.id)
      if (!asked || message.id === undefined) return
      waiting.delete(message.id)
      if (message.error === undefined) asked.resolve(message.result as never)
      else asked.reject(new Refusal(message.error, message.code ?? 'unexpected'))
    })
  })
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`${name}'s process ended (${code ?? 'killed'})`))
  })
  await ready
  return self
}

export interface RelayProcess { readonly url: string; stop(signal?: NodeJS.Signals): Promise<void> }

export async function relayProcess(directory: string): Promise<RelayProcess> {
  const child = start('./relay.ts', [directory])
  const url = await new Promise<string>((resolve, reject) => {
    child.once('message', (message: { readonly url: string }) => resolve(message.url))
    child.once('exit', () => reject(new Error('the relay did not start')))
  })
  return {
    url,
    stop: (signal = 'SIGTERM') => new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) return resolve()
      child.once('exit', () => resolve())
      child.kill(signal)
    }),
  }
}
