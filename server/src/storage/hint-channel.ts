/** NOTIFY on this channel follows every row of the feed. Only a hint: every node polls as well. */
export const HINT_CHANNEL = 'postern_feed'
