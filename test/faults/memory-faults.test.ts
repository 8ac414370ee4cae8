import { randomName } from '../helpers/temporary-folder.js'
import { faultsOf, faultSuite } from './fault-suite.js'

faultSuite(
  {
    kind: 'memory',
    halfClose: true,
    supported: true,
    noListener: 'ERR_NOT_FOUND',
    makeEndpoint: () =>
      Promise.resolve({
        endpoint: `memory:${randomName()}`,
        socketFile: undefined,
        remove: () => Promise.resolve(),
      }),
  },
  faultsOf.memory,
)
