import { transportContract } from './transport-contract.js'
import { unix } from './transports.js'

transportContract(unix)
