/* Dates, their forms, and clocks that move on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void show(time_t moment) {
  char text[128];
  struct tm date = *gmtime(&moment);
  strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %a %b %j %U %W %V %G %u %w %y %C %e|%I %p|%D %F %T %R %h %n%t%% %A %B", &date);
  printf("%ld: %s\n", (long)moment, text);
  printf("  back %ld %ld\n", (long)timegm(&date), (long)mktime(&date));
}

int main(void) {
  show(0);
  show(951782400);
  show(1234567890);
  show(2147483647);
  show(-1);
  struct tm date;
  memset(&date, 0, sizeof date);
  date.tm_year = 123;
  date.tm_mon = 13;
  date.tm_mday = 30;
  date.tm_hour = -1;
  date.tm_isdst = -1;
  time_t moment = mktime(&date);
  printf("%ld is day %d of month %d of %d, weekday %d, day %d, hour %d\n", (long)moment, date.tm_mday, date.tm_mon, date.tm_year,
         date.tm_wday, date.tm_yday, date.tm_hour);
  printf("%s", asctime(localtime(&moment)));
  tzset();
  printf("zone %s %s %ld %d\n", tzname[0], tzname[1], timezone, daylight);
  char small[4];
  printf("too long %zu\n", strftime(small, sizeof small, "%Y", &date));
  printf("fits %zu\n", strftime(small, sizeof small, "%y", &date));

  struct timespec a, b, resolution;
  struct timeval now;
  clock_gettime(CLOCK_MONOTONIC, &a);
  usleep(2000);
  clock_gettime(CLOCK_MONOTONIC, &b);
  long long passed = (b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec;
  printf("slept at least 2 ms: %d\n", passed >= 2000000);
  printf("resolution %d\n", clock_getres(CLOCK_REALTIME, &resolution) == 0 && resolution.tv_nsec > 0);
  gettimeofday(&now, 0);
  printf("after 2020 %d %d\n", now.tv_sec > 1577836800, labs((long)(time(0) - now.tv_sec)) <= 1);
  printf("clock %d\n", clock() >= 0);
  printf("no such clock %d\n", clock_gettime(99, &a));
  printf("difference %.0f\n", difftime(5, 3));
  return 0;
}
