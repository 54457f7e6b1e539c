import { memoryStore } from '../../engine/store/memory.js'
import { testStore } from './conformance.js'

testStore('memory', async () => memoryStore())
