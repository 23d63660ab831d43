import java.io.IOException;
import java.util.zip.GZIPOutputStream;

/** Compresses as the JDK does: java Gzip.java <plain >gzip */
public class Gzip {
    public static void main(String[] arguments) throws IOException {
        try (GZIPOutputStream out = new GZIPOutputStream(System.out, 65536)) {
            System.in.transferTo(out);
        }
    }
}
