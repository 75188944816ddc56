// Children that open fifos, bind sockets and send descriptors, killed at any moment.
#include "show.h"

#include <dirent.h>

static int pair[2];

static void send_one(int fd) {
  _Alignas(8) char control[CMSG_SPACE(sizeof(int))];
  struct iovec vector = {"x", 1};
  struct msghdr message = {0, 0, &vector, 1, control, sizeof control, 0};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  *(int*)CMSG_DATA(header) = fd;
  sendmsg(pair[0], &message, MSG_DONTWAIT);
}

static int receive_one(void) {
  _Alignas(8) char control[CMSG_SPACE(sizeof(int))];
  char text[4];
  struct iovec vector = {text, 1};
  struct msghdr message = {0, 0, &vector, 1, control, sizeof control, 0};
  if (recvmsg(pair[1], &message, MSG_DONTWAIT) < 0) return -1;
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  return header == NULL ? -1 : *(int*)CMSG_DATA(header);
}

static void work(int seed) {
  srand(seed);
  for (;;) {
    char name[32];
    snprintf(name, sizeof name, "n%d", rand() % 8);
    int fd = -1;
    switch (rand() % 7) {
      case 0:
        mkfifo(name, 0600);
        break;
      case 1:
        fd = open(name, O_RDWR | O_NONBLOCK);
        if (fd >= 0) write(fd, "some bytes", 10);
        break;
      case 2:
        fd = open(name, O_RDWR | O_CREAT | O_NONBLOCK, 0600);
        if (fd >= 0) send_one(fd);
        break;
      case 3:
        fd = receive_one();
        if (fd >= 0) write(fd, "received", 8);
        break;
      case 4: {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        strcpy(address.sun_path, name);
        fd = socket(AF_UNIX, SOCK_DGRAM, 0);
        if (bind(fd, (struct sockaddr*)&address, sizeof address) != 0)
          sendto(fd, "x", 1, MSG_DONTWAIT, (struct sockaddr*)&address, sizeof address);
        break;
      }
      case 5:
        unlink(name);
        break;
      default:
        if (rand() % 2) {
          fd = open(name, O_RDONLY);  // a fifo: waits until somebody writes, or for ever
        } else {
          fd = open(".", O_RDONLY | O_DIRECTORY);
          send_one(fd);
        }
    }
    if (fd >= 0 && rand() % 4) close(fd);
  }
}

int main(int count, char** arguments) {
  if (count != 2 || chdir(arguments[1]) != 0) return 1;
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  for (int round = 0; round < 40; round++) {
    pid_t children[4];
    for (int i = 0; i < 4; i++) {
      children[i] = fork();
      if (children[i] == 0) work(round * 4 + i);
    }
    usleep(1000 + rand() % 20000);
    for (int i = 0; i < 4; i++) kill(children[i], SIGKILL);
    for (int i = 0; i < 4; i++) waitpid(children[i], 0, 0);
  }
  DIR* directory = opendir(".");
  for (struct dirent* entry; (entry = readdir(directory)) != NULL;) unlink(entry->d_name);
  closedir(directory);
  puts("done");
  return 0;
}
