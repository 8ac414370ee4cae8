import { randomName } from '../helpers/temporary-folder.js'
import { faultsOf, faultSuite } from './fault-suite.js'

faultSuite(
  {
    kind: 'unix',
    halfClose: true,
    supported: process.platform === 'linux',
    // There is no file that could be missing: the kernel refuses.
    noListener: 'ERR_REFUSED',
    makeEndpoint: () =>
      Promise.resolve({
        endpoint: `unix:@symphony-${randomName()}`,
        socketFile: undefined,
        remove: () => Promise.resolve(),
      }),
  },
  faultsOf.abstract,
)
