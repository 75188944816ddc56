waitfor() { for _ in $(seq 200); do [ -S "$1" ] && return; sleep 0.02; done; echo "$1 did not come"; }
socat UNIX-LISTEN:stream.sock EXEC:'tr a-z A-Z' & waitfor stream.sock; echo to upper case | socat - UNIX-CONNECT:stream.sock; wait
socat -u UNIX-RECV:datagram.sock,unlink-close=0 OPEN:received,creat & waitfor datagram.sock; echo a datagram | socat -u - UNIX-SENDTO:datagram.sock; sleep 0.3; kill %%; wait; cat received
mkdir d; (cd d && exec nc -lU nc.sock > ../got) & waitfor d/nc.sock; echo by netcat | nc -N -U d/nc.sock; wait; cat got
nc -U d/nc.sock; echo "nobody: $?"; nc -U received; echo "no socket: $?"; nc -U absent; echo "absent: $?"
rm -r d; mkfifo p; socat -u PIPE:p OPEN:piped,creat & sleep 0.3; echo through a pipe > p; sleep 0.3; kill %%; wait; cat piped
ls
echo scenario complete
