import { canShareMemory } from '../helpers/shared-memory-here.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { faultsOf, faultSuite } from './fault-suite.js'

faultSuite(
  {
    kind: 'shm',
    halfClose: true,
    supported: canShareMemory,
    noListener: 'ERR_NOT_FOUND',
    outlivesShards: true,
    async makeEndpoint() {
      const folder = await makeTemporaryFolder()
      const path = folder.socketPath()
      return { endpoint: `shm:${path}`, socketFile: path, remove: () => folder.remove() }
    },
  },
  faultsOf.shared,
)
