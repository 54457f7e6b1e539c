/** Waiting for what others have written. */
import type { Space } from '../engine/space/space.js'

/** Resolves when the space's verified head moves on from where it is now. */
export function nextHead(space: Space): Promise<void> {
  const { size } = space.head
  return new Promise((resolve) => {
    const stop = space.on('change', () => {
      if (space.head.size === size) return
      stop()
      resolve()
    })
  })
}
