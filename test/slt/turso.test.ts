/** Turso's conformance tests through the public API: each `reset` is a new space. */
import { adapter } from './open.js'
import { testSet } from './gate.js'

testSet('turso', adapter)
