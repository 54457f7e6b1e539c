/** What `#sql-floor` means everywhere but in Node: a chunk of its own. */
import type { Floor } from './floor-here.js'

export const importFloor = (): Promise<Floor> => import('./floor.js')
