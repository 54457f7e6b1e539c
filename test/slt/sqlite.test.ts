/** SQLite's own sqllogictest corpus and Tcl tests through the public API, on encrypted tables. */
import { adapter } from './open.js'
import { testSet } from './gate.js'

testSet('core', adapter)
testSet('more', adapter)
testSet('sqlite-tcl', adapter)
