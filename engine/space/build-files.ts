/** Ops on files, made by their authors. */
import { isSealError } from '../errors.js'
import { metaOf } from '../group/roster.js'
import { fileKey } from '../state/keys.js'
import type { Workbench } from './build.js'
import type { Step } from './build-steps.js'
import { type FileFacts, fileIdOf, storedFiles } from './file-record.js'
import type { PutFileOp, ResealFileOp } from './ops/file.js'
import { encodeFileContent, openFileContent, sealFileContent } from './seal-file.js'
import { nonceSource } from './seal-row.js'

/** `content`: what `facts.commitment` is of. Sealed under the present epoch: made anew, it is the same file. */
export function buildPutFile({ env, state, device, secrets, random }: Workbench, facts: FileFacts, content: Uint8Array): PutFileOp {
  const id = fileIdOf(env.crypto, env.spaceId, facts)
  const sealed = sealFileContent(env, secrets, id, metaOf(state).epoch, device, random(24), content)
  return { op: 'file.put', id, length: facts.length, root: facts.root, commitment: facts.commitment, sealed }
}

/** As `buildReseal`, of files: the sealed keys alone, whatever length the files have. */
export function buildFileReseals(bench: Workbench, cut: number, limit: number): Step {
  const { env, state, device, secrets } = bench
  const { epoch } = metaOf(state)
  const nonce = nonceSource(bench.random)
  const ops: ResealFileOp[] = []
  const stuck: Uint8Array[] = []
  for (const file of storedFiles(state)) {
    if (ops.length >= limit) break
    if (file.epoch >= cut) continue
    try {
      const content = encodeFileContent(openFileContent(env, secrets, file.id, file))
      ops.push({ op: 'file.reseal', id: file.id, sealed: sealFileContent(env, secrets, file.id, epoch, device, nonce(), content) })
    } catch (error) {
      if (!isSealError(error) || (error.family !== 'hostile' && error.code !== 'no-secret')) throw error
      stuck.push(fileKey(file.id))
    }
  }
  return { ops, stuck }
}
