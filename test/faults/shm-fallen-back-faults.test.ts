/** One end shares no memory: what is promised of a Unix socket holds after the handshake too. */
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { faultsOf, faultSuite } from './fault-suite.js'

faultSuite(
  {
    kind: 'shm',
    halfClose: true,
    supported: process.platform !== 'win32',
    noListener: 'ERR_NOT_FOUND',
    dialOptions: { memory: 'socket' },
    async makeEndpoint() {
      const folder = await makeTemporaryFolder()
      const path = folder.socketPath()
      return { endpoint: `shm:${path}`, socketFile: path, remove: () => folder.remove() }
    },
  },
  faultsOf.fallenBack,
)
