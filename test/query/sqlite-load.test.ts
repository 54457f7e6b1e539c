import { createRequire } from 'node:module'
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { SealError } from '../../engine/errors.js'
import { openSqlite } from '../../query/sqlite.js'

const code = (error: unknown): string => (error instanceof SealError ? error.code : String(error))

test('refuses what is not the build it is pinned to, and may be tried again', async () => {
  await expect(openSqlite({ wasmBinary: new Uint8Array([1, 2, 3]) }).catch(code)).resolves.toBe('provider-unavailable')
  // A valid module that is something else.
  await expect(openSqlite({ wasmBinary: new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]), initSqlJs: (config) => new Promise((resolve) => {
    config.instantiateWasm({}, () => resolve({}))
  }) }).catch(code)).resolves.toBe('provider-unavailable')
  // sql.js that was started by somebody else doesn't ask for its module again.
  await expect(openSqlite({ initSqlJs: () => Promise.resolve({}) }).catch(code)).resolves.toBe('provider-unavailable')
  // Nobody answers: that may pass.
  await expect(openSqlite({ locateFile: () => 'http://127.0.0.1:9/sql-wasm.wasm' }).catch(code)).resolves.toBe('unavailable')
  await expect(openSqlite({ locateFile: () => { throw new Error('nowhere') } }).catch(code)).resolves.toBe('provider-unavailable')
  await expect(openSqlite({ locateFile: () => 'data:text/plain,nothing' }).catch(code)).resolves.toBe('provider-unavailable')
  const wasmBinary = await readFile(createRequire(import.meta.url).resolve('sql.js/dist/sql-wasm.wasm'))
  const module = await openSqlite({ locateFile: () => `data:application/wasm;base64,${wasmBinary.toString('base64')}` })
  const db = module.database()
  expect(db.get('SELECT 1')).toEqual([1n])
  db.close()
})
