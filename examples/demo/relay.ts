/** The demo's relay, in a process of its own. What an operator runs is the same: `sealdb relay --data DIR`. */
import { fileRelayStore, startRelay } from '../../net/server.js'

const relay = await startRelay({ store: fileRelayStore(process.argv[2] as string), name: 'relay.demo' })
process.send?.({ url: relay.url })
process.on('SIGTERM', () => {
  void relay.close().then(() => process.exit(0))
})
