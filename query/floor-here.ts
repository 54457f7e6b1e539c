/** What `#sql-floor` means in Node, where a module costs no journey: it is there from the beginning. */
import * as floor from './floor.js'

export type Floor = typeof floor

export const importFloor = (): Promise<Floor> => Promise.resolve(floor)
