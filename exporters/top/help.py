"""The help of the terminal view: 22 lines of 79 characters at most."""

HELP = """\
KEYS                                                  (any key leaves this help)
  1 ... 7  Tab  Shift-Tab   choose a view        q  quit
  Up Down PgUp PgDn Home End   scroll            p or space  pause, go on
  s or >, <   sort by the next, the previous     u  units: packets/s or bits/s
              column; r turns the order round    i, I  one instance, or all
  /           filter: only rows that have all the words in their names;
              Enter keeps it, Esc clears it

MARKS
  + live   ! dead, hung, lost, unreadable   . stopped, no core   ~ starting
  ! critical   * warning   - note       ~ in a name: something was cut off
  a number that is - is not known: at the first look, after a counter fell, or
  because the core is of another version and has no such counter

NUMBERS
  Rates are over the last interval, counts since the boot; k, M, G are decimal.
  busy    share of cycles spent on turns of the loop that handled packets
  resid   packets in less packets accounted for: anything but 0 is a fault
  conn    connections in the table; new/s opened, pickup/s adopted in mid-flow
  held    packets that wait for a MAC address
  bit/s   from the Ethernet header on, without the frame check sequence
  Ports count by themselves, at another instant; the ledger does not use them."""
