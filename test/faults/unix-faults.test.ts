import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { faultsOf, faultSuite } from './fault-suite.js'

faultSuite(
  {
    kind: 'unix',
    halfClose: true,
    supported: process.platform !== 'win32',
    noListener: 'ERR_NOT_FOUND',
    async makeEndpoint() {
      const folder = await makeTemporaryFolder()
      const path = folder.socketPath()
      return { endpoint: `unix:${path}`, socketFile: path, remove: () => folder.remove() }
    },
  },
  faultsOf.unix,
)
