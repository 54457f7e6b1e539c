/** Opening what an epoch's record carries: the author's box or a repair by another, taken for what it is or not at all. */
import { equalBytes } from '../codec/bytes.js'
import type { CryptoProvider } from '../crypto/provider.js'
import { isSealError } from '../errors.js'
import { type BoxKind, openBox } from './boxes.js'
import type { EpochRecord } from './epochs.js'
import { decodeHistory, type HistoryItem, splitSecrets } from './history.js'
import { listRepairs } from './repairs.js'
import type { GroupReader } from './roster.js'
import { commitEpochSecret } from './secrets.js'

export interface KeyringEnv {
  readonly crypto: CryptoProvider
  readonly spaceId: Uint8Array
}

/** A box and the device that made it. */
export interface Carried {
  readonly device: number
  readonly box: Uint8Array
}

/** The author's box, then the repairs by member. */
export function carriedBoxes(state: GroupReader, epoch: number, record: EpochRecord, kind: BoxKind): Carried[] {
  const original = { device: record.author, box: kind === 'link' ? record.link : record.blinding }
  return [original, ...listRepairs(state, epoch, kind)]
}

/** What a history link says, whether or not it is true; undefined if it does not open or is of another shape. `link`: L of the epoch. */
export function openLink(env: KeyringEnv, link: Uint8Array, epoch: number, from: number, { device, box }: Carried): HistoryItem[] | undefined {
  const place = { kind: 'link', spaceId: env.spaceId, epoch, creator: device } as const
  return orUndefined(() => decodeHistory(openBox(env.crypto, link, place, box), from, epoch))
}

/** As `openLink`, the blinding secrets in the order of the record's generations, as many as it announces. */
export function openBlinding(env: KeyringEnv, link: Uint8Array, epoch: number, record: EpochRecord, { device, box }: Carried): Uint8Array[] | undefined {
  const place = { kind: 'blinding', spaceId: env.spaceId, epoch, creator: device } as const
  const secrets = orUndefined(() => splitSecrets(openBox(env.crypto, link, place, box)))
  return secrets?.length === record.generations.length ? secrets : undefined
}

/** The epoch's record commits to these secrets. Without L, to D alone. */
export function isCommitted(env: KeyringEnv, epoch: number, record: EpochRecord, secrets: { readonly data: Uint8Array; readonly link: Uint8Array | undefined }): boolean {
  const { data, link } = record.commitments
  if (!equalBytes(commitEpochSecret(env.crypto, env.spaceId, epoch, 0, secrets.data), data)) return false
  return secrets.link === undefined || equalBytes(commitEpochSecret(env.crypto, env.spaceId, epoch, 1, secrets.link), link)
}

/** What hostile bytes make fail is undefined; anything else is thrown on. */
function orUndefined<T>(open: () => T): T | undefined {
  try {
    return open()
  } catch (error) {
    if (isSealError(error) && (error.family === 'hostile' || error.code === 'unsupported-version')) return undefined
    throw error
  }
}
