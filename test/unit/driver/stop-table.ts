/**
 * The cells of the stop machine's table: what comes of every input in every state.
 *
 * The idea: one line each, generation first, then where the stop is, then what is sent and said.
 * It refuses to hold the states and inputs themselves: the test that reads it does.
 */
export const cells: { readonly [state: string]: { readonly [input: string]: string } } = {
  none: {
    "new order":
      "g6 stopping #2 controlled pending 0 [s2]; send controlled #2; endLease; received(s2); began s2; persist",
    "repeated order":
      "g6 stopping #2 controlled pending 0 [s1]; send controlled #2; endLease; received(s1); began s1; persist",
    "order without latch":
      "g6 stopping #2 controlled pending 0 []; send controlled #2; endLease; received(s3); began s3",
    "order that was reset":
      "g6 stopping #2 controlled pending 0 []; send controlled #2; endLease; received(old); began old",
    quickStop:
      "g6 stopping #2 fast pending 0 [s4]; send fast #2; endLease; received(s4); began s4; persist",
    abort:
      "g6 stopping #2 fast pending 0 then off [s5]; send fast #2; endLease; received(s5); began s5; persist",
    "own order":
      "g6 stopping #2 controlled pending 0 []; send controlled #2; endLease; began drv-1",
    owe: "g6 owed silent #2 controlled pending 0 []; send controlled #2; endLease",
    "frame acked": "-",
    "frame refused": "-",
    "frame lost": "-",
    "frame not sent": "-",
    "frame of another attempt": "-",
    "class done": "-",
    "class failed": "-",
    "class unanswered": "-",
    "still reading": "-",
    "moving reading": "-",
    "reading from before the frame": "-",
    tick: "-",
    life: "-",
    overtaken: "-",
    "reset of s1": "g5 none []; persist",
    "adopt s1":
      "g6 stopping #2 controlled pending 0 [s1]; send controlled #2; endLease; began s1; persist",
    "adopt missed":
      "g6 stopping #2 controlled pending 0 [s8,s9]; send controlled #2; endLease; began s9; persist",
    "adopt missed, still": "g6 none [s9]; endLease; persist",
    "adopt what was reset": "-",
  },
  "none, state/stop not seen": {
    "new order":
      "g6 stopping #2 controlled pending 0 [s2]; send controlled #2; endLease; received(s2); began s2; persist",
    "repeated order":
      "g6 stopping #2 controlled pending 0 [s1]; send controlled #2; endLease; received(s1); began s1; persist",
    "order without latch":
      "g6 stopping #2 controlled pending 0 []; send controlled #2; endLease; received(s3); began s3",
    "order that was reset":
      "g6 stopping #2 controlled pending 0 []; send controlled #2; endLease; received(old); began old",
    quickStop:
      "g6 stopping #2 fast pending 0 [s4]; send fast #2; endLease; received(s4); began s4; persist",
    abort:
      "g6 stopping #2 fast pending 0 then off [s5]; send fast #2; endLease; received(s5); began s5; persist",
    "own order":
      "g6 stopping #2 controlled pending 0 []; send controlled #2; endLease; began drv-1",
    owe: "g6 owed silent #2 controlled pending 0 []; send controlled #2; endLease",
    "frame acked": "-",
    "frame refused": "-",
    "frame lost": "-",
    "frame not sent": "-",
    "frame of another attempt": "-",
    "class done": "-",
    "class failed": "-",
    "class unanswered": "-",
    "still reading": "-",
    "moving reading": "-",
    "reading from before the frame": "-",
    tick: "-",
    life: "-",
    overtaken: "-",
    "reset of s1": "g5 none []; persist",
    "adopt s1":
      "g6 stopping #2 controlled pending 0 [s1]; send controlled #2; endLease; began s1; persist",
    "adopt missed":
      "g6 stopping #2 controlled pending 0 [s8,s9]; send controlled #2; endLease; began s9; persist",
    "adopt missed, still": "g6 none [s9]; endLease; persist",
    "adopt what was reset": "g5 none []",
  },
  "stopping, frames pending": {
    "new order":
      "g6 stopping #1 controlled pending 0 [s1,s2]; endLease; received(s2); began s2; persist",
    "repeated order": "g5 stopping #1 controlled pending 0 [s1]; received(s1)",
    "order without latch":
      "g6 stopping #1 controlled pending 0 [s1]; endLease; received(s3); began s3",
    "order that was reset":
      "g6 stopping #1 controlled pending 0 [s1]; endLease; received(old); began old",
    quickStop:
      "g6 stopping #2 fast pending 0 [s1,s4]; send fast #2; endLease; received(s4); began s4; persist",
    abort:
      "g6 stopping #2 fast pending 0 then off [s1,s5]; send fast #2; endLease; received(s5); began s5; persist",
    "own order": "g6 stopping #1 controlled pending 0 [s1]; endLease; began drv-1",
    owe: "-",
    "frame acked": "g5 stopping #1 controlled acked 0 [s1]",
    "frame refused": "g5 stopping #1 controlled failed 0 [s1]",
    "frame lost": "g5 stopping #1 controlled failed 0 [s1]",
    "frame not sent": "g5 stopping #1 controlled failed 0 [s1]",
    "frame of another attempt": "-",
    "class done": "g5 stopping #1 controlled acked done 0 [s1]",
    "class failed": "g5 stopping #2 fast pending 0 [s1]; send fast #2",
    "class unanswered": "g5 stopping #1 controlled failed 0 [s1]",
    "still reading": "-",
    "moving reading": "-",
    "reading from before the frame": "-",
    tick: "-",
    life: "-",
    overtaken: "g5 stopping #2 controlled pending 0 [s1]; send controlled #2",
    "reset of s1": "g5 stopping #1 controlled pending 0 []; persist",
    "adopt s1": "-",
    "adopt missed": "g6 stopping #1 controlled pending 0 [s1,s8,s9]; endLease; began s9; persist",
    "adopt missed, still": "g6 stopping #1 controlled pending 0 [s1,s9]; endLease; persist",
    "adopt what was reset": "-",
  },
  "stopping, acked, one still": {
    "new order":
      "g6 stopping #1 controlled acked done 1 [s1,s2]; endLease; received(s2); began s2; persist",
    "repeated order": "g5 stopping #1 controlled acked done 1 [s1]; received(s1)",
    "order without latch":
      "g6 stopping #1 controlled acked done 1 [s1]; endLease; received(s3); began s3",
    "order that was reset":
      "g6 stopping #1 controlled acked done 1 [s1]; endLease; received(old); began old",
    quickStop:
      "g6 stopping #2 fast pending 0 [s1,s4]; send fast #2; endLease; received(s4); began s4; persist",
    abort:
      "g6 stopping #2 fast pending 0 then off [s1,s5]; send fast #2; endLease; received(s5); began s5; persist",
    "own order": "g6 stopping #1 controlled acked done 1 [s1]; endLease; began drv-1",
    owe: "-",
    "frame acked": "g5 stopping #1 controlled acked done 0 [s1]",
    "frame refused": "-",
    "frame lost": "-",
    "frame not sent": "-",
    "frame of another attempt": "-",
    "class done": "g5 stopping #1 controlled acked done 1 [s1]",
    "class failed": "g5 stopping #2 fast pending 0 [s1]; send fast #2",
    "class unanswered": "g5 stopping #1 controlled failed done 1 [s1]",
    "still reading": "g5 none [s1]; confirmed(s1); confirmed!",
    "moving reading": "g5 stopping #1 controlled acked done 0 [s1]",
    "reading from before the frame": "-",
    tick: "-",
    life: "-",
    overtaken: "g5 stopping #2 controlled pending 0 [s1]; send controlled #2",
    "reset of s1": "g5 stopping #1 controlled acked done 1 []; persist",
    "adopt s1": "-",
    "adopt missed":
      "g6 stopping #1 controlled acked done 1 [s1,s8,s9]; endLease; began s9; persist",
    "adopt missed, still": "g6 stopping #1 controlled acked done 1 [s1,s9]; endLease; persist",
    "adopt what was reset": "-",
  },
  "stopping, failed, bound over": {
    "new order": "g6 stopping #1 fast failed 0 [s1,s2]; endLease; received(s2); began s2; persist",
    "repeated order": "g5 stopping #1 fast failed 0 [s1]; received(s1)",
    "order without latch": "g6 stopping #1 fast failed 0 [s1]; endLease; received(s3); began s3",
    "order that was reset": "g6 stopping #1 fast failed 0 [s1]; endLease; received(old); began old",
    quickStop: "g6 stopping #1 fast failed 0 [s1,s4]; endLease; received(s4); began s4; persist",
    abort:
      "g6 stopping #1 fast failed 0 then off [s1,s5]; endLease; received(s5); began s5; persist",
    "own order": "g6 stopping #1 fast failed 0 [s1]; endLease; began drv-1",
    owe: "-",
    "frame acked": "g5 stopping #1 fast acked 0 [s1]",
    "frame refused": "g5 stopping #1 fast failed 0 [s1]",
    "frame lost": "g5 stopping #1 fast failed 0 [s1]",
    "frame not sent": "g5 stopping #1 fast failed 0 [s1]",
    "frame of another attempt": "-",
    "class done": "g5 stopping #1 fast failed done 0 [s1]",
    "class failed": "g5 owed silent #1 fast failed 0 [s1]; unconfirmed(s1); critical!",
    "class unanswered": "g5 stopping #1 fast failed 0 [s1]",
    "still reading": "-",
    "moving reading": "-",
    "reading from before the frame": "-",
    tick: "g5 owed silent #1 fast failed 0 [s1]; unconfirmed(s1); critical!",
    life: "-",
    overtaken: "g5 stopping #2 fast pending 0 [s1]; send fast #2",
    "reset of s1": "g5 stopping #1 fast failed 0 []; persist",
    "adopt s1": "-",
    "adopt missed": "g6 stopping #1 fast failed 0 [s1,s8,s9]; endLease; began s9; persist",
    "adopt missed, still": "g6 stopping #1 fast failed 0 [s1,s9]; endLease; persist",
    "adopt what was reset": "-",
  },
  "owed, silent": {
    "new order":
      "g6 stopping #2 controlled pending 0 [s1,s2]; send controlled #2; endLease; received(s2); began s2; persist",
    "repeated order": "g5 owed silent #1 fast failed 0 [s1]; received(s1)",
    "order without latch":
      "g6 stopping #2 controlled pending 0 [s1]; send controlled #2; endLease; received(s3); began s3",
    "order that was reset":
      "g6 stopping #2 controlled pending 0 [s1]; send controlled #2; endLease; received(old); began old",
    quickStop:
      "g6 stopping #2 fast pending 0 [s1,s4]; send fast #2; endLease; received(s4); began s4; persist",
    abort:
      "g6 stopping #2 fast pending 0 then off [s1,s5]; send fast #2; endLease; received(s5); began s5; persist",
    "own order":
      "g6 stopping #2 controlled pending 0 [s1]; send controlled #2; endLease; began drv-1",
    owe: "-",
    "frame acked": "g5 owed #1 fast acked 0 [s1]",
    "frame refused": "g5 owed #1 fast failed 0 [s1]",
    "frame lost": "g5 owed silent #1 fast failed 0 [s1]",
    "frame not sent": "g5 owed silent #1 fast failed 0 [s1]",
    "frame of another attempt": "-",
    "class done": "g5 owed silent #1 fast failed done 0 [s1]",
    "class failed": "g5 owed silent #1 fast failed 0 [s1]",
    "class unanswered": "g5 owed silent #1 fast failed 0 [s1]",
    "still reading": "-",
    "moving reading": "-",
    "reading from before the frame": "-",
    tick: "-",
    life: "g5 owed #2 fast pending 0 [s1]; send fast #2",
    overtaken: "g5 owed #2 fast pending 0 [s1]; send fast #2",
    "reset of s1": "g5 owed silent #1 fast failed 0 []; persist",
    "adopt s1": "-",
    "adopt missed":
      "g6 stopping #2 controlled pending 0 [s1,s8,s9]; send controlled #2; endLease; began s9; persist",
    "adopt missed, still": "g6 owed silent #1 fast failed 0 [s1,s9]; endLease; persist",
    "adopt what was reset": "-",
  },
  "owed, answering": {
    "new order":
      "g6 stopping #2 controlled pending 0 [s1,s2]; send controlled #2; endLease; received(s2); began s2; persist",
    "repeated order": "g5 owed #1 fast acked 0 [s1]; received(s1)",
    "order without latch":
      "g6 stopping #2 controlled pending 0 [s1]; send controlled #2; endLease; received(s3); began s3",
    "order that was reset":
      "g6 stopping #2 controlled pending 0 [s1]; send controlled #2; endLease; received(old); began old",
    quickStop:
      "g6 stopping #2 fast pending 0 [s1,s4]; send fast #2; endLease; received(s4); began s4; persist",
    abort:
      "g6 stopping #2 fast pending 0 then off [s1,s5]; send fast #2; endLease; received(s5); began s5; persist",
    "own order":
      "g6 stopping #2 controlled pending 0 [s1]; send controlled #2; endLease; began drv-1",
    owe: "-",
    "frame acked": "g5 owed #1 fast acked 0 [s1]",
    "frame refused": "-",
    "frame lost": "-",
    "frame not sent": "-",
    "frame of another attempt": "-",
    "class done": "g5 owed #1 fast acked done 0 [s1]",
    "class failed": "g5 owed #1 fast failed 0 [s1]",
    "class unanswered": "g5 owed #1 fast failed 0 [s1]",
    "still reading": "g5 owed #1 fast acked 1 [s1]",
    "moving reading": "g5 owed #1 fast acked 0 [s1]",
    "reading from before the frame": "-",
    tick: "g5 owed #2 fast pending 0 [s1]; send fast #2",
    life: "-",
    overtaken: "g5 owed #2 fast pending 0 [s1]; send fast #2",
    "reset of s1": "g5 owed #1 fast acked 0 []; persist",
    "adopt s1": "-",
    "adopt missed":
      "g6 stopping #2 controlled pending 0 [s1,s8,s9]; send controlled #2; endLease; began s9; persist",
    "adopt missed, still": "g6 owed #1 fast acked 0 [s1,s9]; endLease; persist",
    "adopt what was reset": "-",
  },
  off: {
    "new order":
      "g6 stopping #2 controlled pending 0 then off [s1,s2]; send controlled #2; endLease; received(s2); began s2; persist",
    "repeated order":
      "g6 stopping #2 controlled pending 0 then off [s1]; send controlled #2; endLease; received(s1); began s1",
    "order without latch":
      "g6 stopping #2 controlled pending 0 then off [s1]; send controlled #2; endLease; received(s3); began s3",
    "order that was reset":
      "g6 stopping #2 controlled pending 0 then off [s1]; send controlled #2; endLease; received(old); began old",
    quickStop:
      "g6 stopping #2 fast pending 0 then off [s1,s4]; send fast #2; endLease; received(s4); began s4; persist",
    abort:
      "g6 stopping #2 fast pending 0 then off [s1,s5]; send fast #2; endLease; received(s5); began s5; persist",
    "own order":
      "g6 stopping #2 controlled pending 0 then off [s1]; send controlled #2; endLease; began drv-1",
    owe: "-",
    "frame acked": "g5 off #1 disable acked 0 then off [s1]",
    "frame refused": "g5 off #1 disable failed 0 then off [s1]",
    "frame lost": "g5 off #1 disable failed 0 then off [s1]",
    "frame not sent": "g5 off #1 disable failed 0 then off [s1]",
    "frame of another attempt": "-",
    "class done": "g5 none [s1]",
    "class failed": "g5 none [s1]; notOff",
    "class unanswered": "g5 off #1 disable failed 0 then off [s1]",
    "still reading": "-",
    "moving reading": "-",
    "reading from before the frame": "-",
    tick: "-",
    life: "-",
    overtaken: "g5 off #2 disable pending 0 then off [s1]; send disable #2",
    "reset of s1": "g5 off #1 disable pending 0 then off []; persist",
    "adopt s1": "-",
    "adopt missed":
      "g6 stopping #2 controlled pending 0 then off [s1,s8,s9]; send controlled #2; endLease; began s9; persist",
    "adopt missed, still": "g6 off #1 disable pending 0 then off [s1,s9]; endLease; persist",
    "adopt what was reset": "-",
  },
  "off, failed, bound over": {
    "new order":
      "g6 stopping #2 controlled pending 0 then off [s1,s2]; send controlled #2; endLease; received(s2); began s2; persist",
    "repeated order":
      "g6 stopping #2 controlled pending 0 then off [s1]; send controlled #2; endLease; received(s1); began s1",
    "order without latch":
      "g6 stopping #2 controlled pending 0 then off [s1]; send controlled #2; endLease; received(s3); began s3",
    "order that was reset":
      "g6 stopping #2 controlled pending 0 then off [s1]; send controlled #2; endLease; received(old); began old",
    quickStop:
      "g6 stopping #2 fast pending 0 then off [s1,s4]; send fast #2; endLease; received(s4); began s4; persist",
    abort:
      "g6 stopping #2 fast pending 0 then off [s1,s5]; send fast #2; endLease; received(s5); began s5; persist",
    "own order":
      "g6 stopping #2 controlled pending 0 then off [s1]; send controlled #2; endLease; began drv-1",
    owe: "-",
    "frame acked": "g5 off #1 disable acked 0 then off [s1]",
    "frame refused": "g5 off #1 disable failed 0 then off [s1]",
    "frame lost": "g5 off #1 disable failed 0 then off [s1]",
    "frame not sent": "g5 off #1 disable failed 0 then off [s1]",
    "frame of another attempt": "-",
    "class done": "g5 none [s1]",
    "class failed": "g5 none [s1]; notOff",
    "class unanswered": "g5 off #1 disable failed 0 then off [s1]",
    "still reading": "-",
    "moving reading": "-",
    "reading from before the frame": "-",
    tick: "g5 none [s1]; notOff",
    life: "-",
    overtaken: "g5 off #2 disable pending 0 then off [s1]; send disable #2",
    "reset of s1": "g5 off #1 disable failed 0 then off []; persist",
    "adopt s1": "-",
    "adopt missed":
      "g6 stopping #2 controlled pending 0 then off [s1,s8,s9]; send controlled #2; endLease; began s9; persist",
    "adopt missed, still": "g6 off #1 disable failed 0 then off [s1,s9]; endLease; persist",
    "adopt what was reset": "-",
  },
};
