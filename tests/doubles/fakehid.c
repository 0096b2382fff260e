/* A stand-in for libhidapi-hidraw.so.0, the library below easyhid and pyspacemouse.

   Every socket file in the folder $FAKEHID_DIR is one plugged-in HID interface, named
       <vendor>-<product>-<interface>-<usage>-<serial>.hid      (numbers in hexadecimal)
   A test listens there (AF_UNIX, SEQPACKET): what it sends is an input report, what it receives is
   an output report, closing the connection is the cable being pulled. */

#define _GNU_SOURCE
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <wchar.h>

struct hid_device_info {
    char *path;
    unsigned short vendor_id, product_id;
    wchar_t *serial_number;
    unsigned short release_number;
    wchar_t *manufacturer_string, *product_string;
    unsigned short usage_page, usage;
    int interface_number;
    struct hid_device_info *next;
};

typedef struct {
    int fd;
    int nonblocking;
} hid_device;

int hid_init(void) { return 0; }
int hid_exit(void) { return 0; }

static wchar_t *widened(const char *text)
{
    size_t room = strlen(text) + 1;
    wchar_t *wide = calloc(room, sizeof *wide);
    mbstowcs(wide, text, room);
    return wide;
}

struct hid_device_info *hid_enumerate(unsigned short vendor, unsigned short product)
{
    const char *folder = getenv("FAKEHID_DIR");
    struct dirent **names;
    struct hid_device_info *first = NULL, **last = &first;
    int count = folder ? scandir(folder, &names, NULL, alphasort) : 0;

    for (int i = 0; i < count; i++) {
        unsigned v, p, interface, usage;
        char serial[64];
        if (sscanf(names[i]->d_name, "%x-%x-%x-%x-%63[^.].hid", &v, &p, &interface, &usage,
                   serial) == 5 && (!vendor || vendor == v) && (!product || product == p)) {
            struct hid_device_info *info = calloc(1, sizeof *info);
            if (asprintf(&info->path, "%s/%s", folder, names[i]->d_name) < 0)
                abort();
            info->vendor_id = v;
            info->product_id = p;
            info->serial_number = widened(serial);
            info->manufacturer_string = widened("3Dconnexion");
            info->product_string = widened("stand-in");
            info->usage_page = 1;
            info->usage = usage;
            info->interface_number = interface;
            *last = info;
            last = &info->next;
        }
        free(names[i]);
    }
    if (count > 0)
        free(names);
    return first;
}

void hid_free_enumeration(struct hid_device_info *info)
{
    while (info) {
        struct hid_device_info *next = info->next;
        free(info->path);
        free(info->serial_number);
        free(info->manufacturer_string);
        free(info->product_string);
        free(info);
        info = next;
    }
}

hid_device *hid_open_path(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    hid_device *device;

    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return NULL;
    }
    device = calloc(1, sizeof *device);
    device->fd = fd;
    return device;
}

hid_device *hid_open(unsigned short vendor, unsigned short product, const wchar_t *serial)
{
    (void)vendor, (void)product, (void)serial;
    return NULL;
}

int hid_read_timeout(hid_device *device, unsigned char *data, size_t room, int milliseconds)
{
    struct pollfd waiting = {.fd = device->fd, .events = POLLIN};
    int ready = poll(&waiting, 1, milliseconds);
    ssize_t count;

    if (ready <= 0)
        return ready;
    count = recv(device->fd, data, room, 0);
    return count > 0 ? (int)count : -1;
}

int hid_read(hid_device *device, unsigned char *data, size_t room)
{
    return hid_read_timeout(device, data, room, device->nonblocking ? 0 : -1);
}

int hid_write(hid_device *device, const unsigned char *data, size_t count)
{
    return (int)send(device->fd, data, count, MSG_NOSIGNAL);
}

int hid_set_nonblocking(hid_device *device, int nonblocking)
{
    device->nonblocking = nonblocking;
    return 0;
}

int hid_send_feature_report(hid_device *device, const unsigned char *data, size_t count)
{
    (void)device, (void)data;
    return (int)count;
}

int hid_get_feature_report(hid_device *device, unsigned char *data, size_t room)
{
    (void)device, (void)data, (void)room;
    return -1;
}

void hid_close(hid_device *device)
{
    close(device->fd);
    free(device);
}

static int no_string(wchar_t *text, size_t room)
{
    if (room)
        text[0] = 0;
    return 0;
}

int hid_get_manufacturer_string(hid_device *d, wchar_t *s, size_t n) { (void)d; return no_string(s, n); }
int hid_get_product_string(hid_device *d, wchar_t *s, size_t n) { (void)d; return no_string(s, n); }
int hid_get_serial_number_string(hid_device *d, wchar_t *s, size_t n) { (void)d; return no_string(s, n); }
int hid_get_indexed_string(hid_device *d, int i, wchar_t *s, size_t n) { (void)d, (void)i; return no_string(s, n); }
const wchar_t *hid_error(hid_device *device) { (void)device; return L"stand-in"; }
