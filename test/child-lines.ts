/** What a test program that runs as a process of its own tells its parent. */
import { writeSync } from 'node:fs'

/** A line, at once and whole, or the parent would not count what was acknowledged. */
export function say(line: string): void {
  for (;;) {
    try {
      return void writeSync(1, `${line}\n`)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error // the pipe is full: try again
    }
  }
}
