/**
 * Ending credentials by command, whatever they are: one question over the operations of the modules that keep them, with
 * a dry run that says how far it reaches, and the list of what was ended. The feed below it is `revocation/`.
 */
export { revocationRoutes, type RevocationRoutes } from './routes.ts'
export { ENDING_ACTIONS } from './list-revocations.ts'
