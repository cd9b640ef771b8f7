/** The one client of the bare server. */
export const CLIENT = 'cli_0000000000000000000000'
export const SECRET = 'cs_live_0000000000000000000000000000000000000000000'
