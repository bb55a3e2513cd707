import { describeTriggers } from '../integration/triggers/contract.ts'

// The oldest and the newest are in test/integration.
describeTriggers([16, 17])
