/** What a session answers about files: the one message to send back. */
import type { Message, MessageOf } from '../messages.js'
import type { Bucket } from './bucket.js'
import type { FileRefusal, RoomFiles } from './files.js'
import type { Metric } from './metrics.js'

export type FileRequest = MessageOf<'chunk'> | MessageOf<'bringChunk'> | MessageOf<'heldChunks'> | MessageOf<'wantedFiles'>

export interface Carrier {
  /** It has proved a device's key: only those bring anything. */
  readonly isDevice: boolean
  readonly bucket: Bucket
  count(metric: Metric): void
}

const REFUSALS: Readonly<Record<FileRefusal | 'denied' | 'rate', string>> = {
  'no-file': 'This relay knows of no such file.',
  'no-chunk': 'Nobody has brought that chunk yet.',
  'bad-chunk': 'That is no chunk of the file.',
  quota: 'The files of this space have no room here.',
  denied: 'Chunks are taken from devices only.',
  rate: 'Too much of files; slow down and try again.',
}

export async function carry(files: RoomFiles, message: FileRequest, by: Carrier): Promise<Message> {
  const { request } = message
  const refuse = (code: keyof typeof REFUSALS): Message => ({ kind: 'refused', request, code, message: REFUSALS[code] })
  switch (message.kind) {
    case 'chunk': {
      const found = await files.get(message.file, message.number)
      if (typeof found === 'string') return refuse(found)
      if (!by.bucket.take(found.chunk.length)) return refuse('rate')
      by.count('chunks_out')
      return { kind: 'chunkIs', request, ...found }
    }
    case 'bringChunk': {
      if (!by.isDevice) return refuse('denied')
      if (!by.bucket.take(message.chunk.length)) return refuse('rate')
      const outcome = await files.put(message.file, message.number, message)
      if (outcome !== 'taken') return refuse(outcome)
      by.count('chunks_in')
      return { kind: 'chunkTaken', request }
    }
    case 'heldChunks':
      return { kind: 'heldAre', request, bits: await files.bitmap(message.file) }
    case 'wantedFiles':
      return { kind: 'wantedAre', request, files: await files.wanted(message.after) }
  }
}
